//! The barcode of an enrolment: a QR code in a JPEG.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fast_qr::{ECL, QRBuilder, QRCode};
use jpeg_encoder::{Encoder, ImageBuffer, JpegColorType};
use vestibule_engine::Secret;
use zeroize::{Zeroize as _, Zeroizing};

use crate::ServiceError;

/// Pixels on each side of a module. A JPEG block has 8, so that every block is of one colour and
/// no edge is blurred.
const SCALE: usize = 8;
/// Modules of white around the code (ISO/IEC 18004 asks for four).
const MARGIN: usize = 4;
const QUALITY: u8 = 60;

/// The barcode of a text, as a JPEG in standard base64 without line breaks.
pub(crate) fn barcode(text: &Secret<String>) -> Result<Secret<String>, ServiceError> {
    let picture = Picture::of(text)?;
    let mut jpeg = Zeroizing::new(Vec::new());
    Encoder::new(&mut *jpeg, QUALITY)
        .encode_image(picture)
        .map_err(|error| ServiceError::bug("a barcode could not be made", error))?;
    Ok(Secret::new(STANDARD.encode(&*jpeg)))
}

/// A QR code on white, of which the encoder asks for one line of pixels at a time. It tells the text,
/// so it is wiped when it is dropped; what the crates that make it keep meanwhile is not.
struct Picture {
    code: QRCode,
    /// Pixels of a side.
    side: u16,
}

impl Picture {
    fn of(text: &Secret<String>) -> Result<Self, ServiceError> {
        let code = QRBuilder::new(text.expose().as_str())
            .ecl(ECL::M)
            .build()
            .map_err(|error| ServiceError::bug("a barcode could not be made", error))?;
        let side = u16::try_from((code.size + 2 * MARGIN) * SCALE)
            .map_err(|_| ServiceError::bug("a barcode could not be made", "it is too large"))?;
        Ok(Self { code, side })
    }
}

impl Drop for Picture {
    fn drop(&mut self) {
        for module in &mut self.code.data {
            module.0.zeroize();
        }
    }
}

impl ImageBuffer for Picture {
    fn get_jpeg_color_type(&self) -> JpegColorType {
        JpegColorType::Luma
    }

    fn width(&self) -> u16 {
        self.side
    }

    fn height(&self) -> u16 {
        self.side
    }

    fn fill_buffers(&self, y: u16, [luma, ..]: &mut [Vec<u8>; 4]) {
        let Picture { code, side } = self;
        let mut rows = code.data.chunks_exact(code.size).take(code.size);
        let row = (usize::from(y) / SCALE).checked_sub(MARGIN);
        let modules = row.and_then(|row| rows.nth(row)).into_iter().flatten();
        let end = luma.len() + usize::from(*side);
        luma.extend([u8::MAX; MARGIN * SCALE]);
        for module in modules {
            luma.extend([if module.value() { 0 } else { u8::MAX }; SCALE]);
        }
        // What is left is the margin on the right, or a line of nothing else.
        luma.resize(end, u8::MAX);
    }
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
