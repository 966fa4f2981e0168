//! A QR code out of half blocks: one character holds two modules, one above the other.

use fast_qr::{ECL, QRBuilder};

/// Light modules around the code (ISO/IEC 18004 section 6.3.8).
const MARGIN: usize = 4;

/// Draws a text. On a terminal with colours black and white are set; without, a block stands for
/// light, as terminals are mostly dark.
pub(super) fn draw(text: &str, colours: bool) -> Option<String> {
    let code = QRBuilder::new(text).ecl(ECL::L).build().ok()?;
    let width = code.size;
    let is_light = |x: usize, y: usize| {
        let inside = |n: usize| n.checked_sub(MARGIN).filter(|&n| n < width);
        let module = inside(x)
            .zip(inside(y))
            .and_then(|(x, y)| code.data.get(y * width + x));
        !module.is_some_and(|module| module.value())
    };
    let size = width + 2 * MARGIN;
    let mut drawing = String::new();
    for y in (0..size).step_by(2) {
        if colours {
            // White on black, whatever the theme.
            drawing.push_str("\u{1b}[97;40m");
        }
        for x in 0..size {
            // Below an odd last line there is nothing, which is drawn as light too.
            drawing.push(match (is_light(x, y), is_light(x, y + 1)) {
                (true, true) => '█',
                (true, false) => '▀',
                (false, true) => '▄',
                (false, false) => ' ',
            });
        }
        if colours {
            drawing.push_str("\u{1b}[0m");
        }
        drawing.push('\n');
    }
    Some(drawing)
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "otpauth://totp/alice@local@127.0.0.1?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Vestibule";

    #[test]
    fn the_drawing_holds_the_code() {
        let drawing = draw(URL, false).unwrap();
        let rows: Vec<Vec<char>> = drawing.lines().map(|line| line.chars().collect()).collect();
        let code = QRBuilder::new(URL).ecl(ECL::L).build().unwrap();
        let size = code.size + 2 * MARGIN;
        assert_eq!(rows.len(), size.div_ceil(2));
        for y in 0..size {
            assert_eq!(rows[y / 2].len(), size);
            for (x, &cell) in rows[y / 2].iter().enumerate() {
                let light = if y % 2 == 0 { "█▀" } else { "█▄" }.contains(cell);
                let module = |n: usize| {
                    (MARGIN..MARGIN + code.size)
                        .contains(&n)
                        .then(|| n - MARGIN)
                };
                let dark = match (module(x), module(y)) {
                    (Some(x), Some(y)) => code[y][x].value(),
                    _ => false,
                };
                assert_eq!(light, !dark, "module {x}, {y}");
            }
        }
    }

    #[test]
    fn it_fits_a_terminal() {
        let drawing = draw(URL, false).unwrap();
        assert!(drawing.lines().count() <= 24);
        assert!(drawing.lines().all(|line| line.chars().count() <= 80));
    }
}
