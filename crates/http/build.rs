//! Takes Swagger UI apart as it was published: what the page of the API needs of it becomes part
//! of the program, so that nothing is fetched when the page is looked at.

use std::error::Error;
use std::io::Cursor;
use std::path::Path;
use std::{env, fs, io};

use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED;
use zip::ZipArchive;

/// What the page needs.
const FILES: [&str; 3] = [
    "favicon-32x32.png",
    "swagger-ui-bundle.js",
    "swagger-ui.css",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    let folder = env::var_os("OUT_DIR").ok_or("cargo did not say where to build")?;
    let mut archive = ZipArchive::new(Cursor::new(SWAGGER_UI_VENDORED))?;
    for wanted in FILES {
        let mut found = false;
        for index in 0..archive.len() {
            let mut file = archive.by_index(index)?;
            if file.name()?.ends_with(&format!("/dist/{wanted}")) {
                let mut copy = fs::File::create(Path::new(&folder).join(wanted))?;
                io::copy(&mut file, &mut copy)?;
                found = true;
            }
        }
        if !found {
            return Err(format!("{wanted} is not in the archive").into());
        }
    }
    Ok(())
}
