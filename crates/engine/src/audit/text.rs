//! Texts that others have made, for people and programs that read logs.

/// Characters of a text that are kept.
pub const LONGEST: usize = 256;
/// What stands at the end of a text that was cut.
pub const CUT: char = '…';
/// What stands for a character that could do something where it is shown.
const REPLACED: char = '\u{fffd}';

/// A text that is safe to be shown: without control characters, and cut where it is too long.
pub fn clean(text: &str) -> String {
    let mut characters = text.chars();
    let mut kept: String = characters.by_ref().take(LONGEST).map(shown).collect();
    if characters.next().is_some() {
        kept.push(CUT);
    }
    kept
}

/// A character, unless it ends lines, moves cursors or turns the direction of writing.
fn shown(character: char) -> char {
    let turns = matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}' | '\u{feff}');
    if turns || character.is_control() {
        REPLACED
    } else {
        character
    }
}
