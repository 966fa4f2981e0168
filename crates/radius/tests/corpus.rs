//! The corpus of the fuzzer, given to the verifier once more.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "what the fuzzer runs may panic; that is how it tells"
)]

#[path = "../../../fuzz/fuzz_targets/radius_response/body.rs"]
mod body;

use std::fs;
use std::path::Path;

#[test]
fn the_corpus_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/radius_response");
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        body::check(&fs::read(entry.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count >= 40, "only {count} files");
}
