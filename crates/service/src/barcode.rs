//! The barcode of an enrolment: a QR code in a JPEG.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jpeg_encoder::{ColorType, Encoder};
use qrcode::{Color, EcLevel, QrCode};
use vestibule_engine::Secret;
use zeroize::Zeroizing;

use crate::ServiceError;

/// Pixels on each side of a module. A JPEG block has 8, so that every block is of one colour and
/// no edge is blurred.
const SCALE: usize = 8;
/// Modules of white around the code (ISO/IEC 18004 asks for four).
const MARGIN: usize = 4;
const QUALITY: u8 = 60;

/// The barcode of a text, as a JPEG in standard base64 without line breaks.
pub(crate) fn barcode(text: &Secret<String>) -> Result<Secret<String>, ServiceError> {
    let code = QrCode::with_error_correction_level(text.expose(), EcLevel::M)
        .map_err(|error| ServiceError::bug("a barcode could not be made", error))?;
    let modules = code.width();
    let side = (modules + 2 * MARGIN) * SCALE;
    let mut pixels = Zeroizing::new(vec![u8::MAX; side * side]);
    let rows = pixels.chunks_exact_mut(side).skip(MARGIN * SCALE);
    let colors = Zeroizing::new(
        code.to_colors()
            .into_iter()
            .map(|color| if color == Color::Dark { 0 } else { u8::MAX })
            .collect::<Vec<u8>>(),
    );
    for (y, row) in rows.take(modules * SCALE).enumerate() {
        let colors = colors.iter().skip(y / SCALE * modules).take(modules);
        let cells = row.chunks_exact_mut(SCALE).skip(MARGIN);
        for (cell, color) in cells.zip(colors) {
            cell.fill(*color);
        }
    }
    let too_large = |_| ServiceError::bug("a barcode could not be made", "it is too large");
    let width = u16::try_from(side).map_err(too_large)?;
    let mut jpeg = Zeroizing::new(Vec::new());
    Encoder::new(&mut *jpeg, QUALITY)
        .encode(&pixels, width, width, ColorType::Luma)
        .map_err(|error| ServiceError::bug("a barcode could not be made", error))?;
    Ok(Secret::new(STANDARD.encode(&*jpeg)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_jpeg_even_for_the_longest_name() {
        for length in [100, 1_200] {
            let text = barcode(&Secret::new("x".repeat(length))).unwrap();
            let jpeg = STANDARD.decode(text.expose()).unwrap();
            assert_eq!(jpeg[..3], [0xff, 0xd8, 0xff]);
        }
    }
}
