//! Which characters a person may be shown: what they see must be what the client sent, in the order in which it was sent.

use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

/// How many marks one letter may bear.
const MOST_MARKS: usize = 8;

/// For a `binding_message`: letters, marks, numbers, punctuation, spaces, currency and mathematical signs of any language. No
/// controls, no bidirectional overrides, nothing invisible, no emoji.
pub(super) fn is_plain(c: char) -> bool {
    use unicode_properties::GeneralCategory::{CurrencySymbol, MathSymbol, ModifierSymbol};
    match c.general_category_group() {
        GeneralCategoryGroup::Symbol => matches!(c.general_category(), CurrencySymbol | MathSymbol | ModifierSymbol),
        // turns digits and signs into emoji
        GeneralCategoryGroup::Mark if c == '\u{20e3}' => false,
        _ => is_visible(c),
    }
}

/// For any text: the same, and all other signs.
pub(super) fn is_visible(c: char) -> bool {
    use unicode_properties::GeneralCategory::{LineSeparator, ParagraphSeparator};
    match c.general_category_group() {
        // controls, bidirectional overrides and isolates, what is no character
        GeneralCategoryGroup::Other => false,
        GeneralCategoryGroup::Separator => !matches!(c.general_category(), LineSeparator | ParagraphSeparator),
        _ => !is_invisible(c),
    }
}

/// Letters, marks and signs that show nothing: Unicode's `Default_Ignorable_Code_Point` (fillers, joiners, variation
/// selectors), and those whose picture is empty (the blank of Braille and of hieroglyphs, a note without a head).
const fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{34f}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{ffa0}'
            | '\u{13441}'..='\u{13442}'
            | '\u{16fe4}'
            | '\u{1d159}'
            | '\u{e0100}'..='\u{e01ef}'
    )
}

/// Whether marks are heaped on a letter until they cover the lines above and below. No language writes more than seven.
pub(super) fn is_heaped(text: &str) -> bool {
    let mut marks = 0;
    text.chars().any(|c| {
        let is_mark = c.general_category_group() == GeneralCategoryGroup::Mark;
        marks = if is_mark { marks + 1 } else { 0 };
        marks > MOST_MARKS
    })
}
