//! Messages that are like one that was read before: the same bytes, but for other digits in the place of digits and other
//! text in the place of text. A comparison tells that much, and takes a fraction of the time in which a message is read.
//!
//! Nothing is guessed. Where only the values of a result differ, and each of their bytes is one that could stand there,
//! reading the new message would find the same things in the same places; whatever else differs is read.

use std::ops::Range;

use super::{BadMessage, Id, Message, envelope, find};
use crate::mcp::digits;

/// Longer messages are read each time: what they cost is the result, not its envelope.
const LONGEST: usize = 1024;
/// How many messages are learnt in vain before a server's answers are taken for unlike each other.
const PATIENCE: u32 = 16;

/// What may stand in the place of a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// That byte alone.
    Fixed,
    Digit,
    /// The first digit of a number, which is no zero.
    FirstDigit,
    /// What needs no escape in a string, and is ASCII.
    Text,
}

impl Place {
    fn admits(self, byte: u8) -> bool {
        match self {
            Place::Fixed => false,
            Place::Digit => byte.is_ascii_digit(),
            Place::FirstDigit => matches!(byte, b'1'..=b'9'),
            Place::Text => is_plain(byte),
        }
    }
}

/// The message that was learnt last, a response with a result.
#[derive(Debug, Default)]
pub struct Familiar {
    text: Vec<u8>,
    /// Parallel to the text.
    places: Vec<Place>,
    id: Range<usize>,
    result: Range<usize>,
    is_error: Option<bool>,
    /// The length of the message before, where it was not recognised.
    missed: usize,
    /// Messages that were learnt since one was recognised.
    in_vain: u32,
}

impl Familiar {
    /// Reads one message, and says what [`envelope`] says of it.
    ///
    /// # Errors
    /// When the text is not one JSON value, or not a message.
    pub fn envelope<'a>(&mut self, text: &'a [u8]) -> Result<Message<'a>, BadMessage> {
        if let Some(message) = self.recognise(text) {
            (self.missed, self.in_vain) = (0, 0);
            return Ok(message);
        }
        let message = envelope(text)?;
        // What a server says beside its answers is no sign of what they are like.
        if matches!(message, Message::Response { .. }) {
            // Two of one length in a row may be followed by more.
            if text.len() == self.missed && text.len() <= LONGEST && self.in_vain < PATIENCE {
                self.learn(text, &message);
            }
            self.missed = text.len();
        }
        Ok(message)
    }

    fn recognise<'a>(&self, text: &'a [u8]) -> Option<Message<'a>> {
        if text.len() != self.text.len() || text.is_empty() {
            return None;
        }
        let (words, rest) = text.as_chunks::<8>();
        let (known, known_rest) = self.text.as_chunks::<8>();
        let (places, last_places) = self.places.as_chunks::<8>();
        for ((word, known), places) in words.iter().zip(known).zip(places) {
            if word != known && !could_stand(word, known, places) {
                return None;
            }
        }
        if !could_stand(rest, known_rest, last_places) {
            return None;
        }
        Some(Message::Response {
            id: Id::Number(digits(&text[self.id.clone()])?),
            result: &text[self.result.clone()],
            is_error: self.is_error,
        })
    }

    fn learn(&mut self, text: &[u8], message: &Message<'_>) {
        let Message::Response {
            id: Id::Number(_),
            result,
            is_error,
        } = message
        else {
            return;
        };
        let Some(id) = find(text, &["id"]) else {
            return;
        };
        self.in_vain += 1;
        self.text.clear();
        self.places.clear();
        // Once and for all: nothing is allocated while operations are measured.
        self.text.reserve(LONGEST);
        self.places.reserve(LONGEST);
        self.text.extend_from_slice(text);
        self.places.resize(text.len(), Place::Fixed);
        self.id = within(text, id);
        self.result = within(text, result);
        self.is_error = *is_error;
        for part in [self.id.clone(), self.result.clone()] {
            free_values(&text[part.clone()], &mut self.places[part]);
        }
    }
}

/// Each byte is the known one, or could stand in its place.
fn could_stand(text: &[u8], known: &[u8], places: &[Place]) -> bool {
    let mut pairs = text.iter().zip(known).zip(places);
    pairs.all(|((byte, known), place)| byte == known || place.admits(*byte))
}

/// Where a part of the text is in it.
fn within(text: &[u8], part: &[u8]) -> Range<usize> {
    let start = part.as_ptr().addr() - text.as_ptr().addr();
    start..start + part.len()
}

fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\'
}

/// Marks what may differ in a JSON value: the digits of numbers, and the text of strings that are no keys.
fn free_values(json: &[u8], places: &mut [Place]) {
    let mut at = 0;
    while let Some(byte) = json.get(at) {
        at = match byte {
            b'"' => free_string(json, at, places),
            b'-' | b'0'..=b'9' => free_number(json, at, places),
            _ => at + 1,
        };
    }
}

/// Of the string that begins at `start`; where it ends.
fn free_string(json: &[u8], start: usize, places: &mut [Place]) -> usize {
    let mut end = start + 1;
    while let Some(byte) = json.get(end)
        && *byte != b'"'
    {
        end += if *byte == b'\\' { 2 } else { 1 };
    }
    let behind = json.get(end + 1..).unwrap_or_default();
    if behind.trim_ascii_start().first() == Some(&b':') {
        return end + 1;
    }
    let mut at = start + 1;
    while at < end {
        match json[at] {
            b'\\' if json.get(at + 1) == Some(&b'u') => at += 6,
            b'\\' => at += 2,
            byte => {
                if is_plain(byte) {
                    places[at] = Place::Text;
                }
                at += 1;
            }
        }
    }
    end + 1
}

/// Of the number that begins at `start`; where it ends.
fn free_number(json: &[u8], start: usize, places: &mut [Place]) -> usize {
    let first = start + usize::from(json[start] == b'-');
    let mut at = first;
    while let Some(byte) = json.get(at)
        && matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-')
    {
        places[at] = match byte {
            // No other digit could follow a zero, and no number but zero begins with one.
            b'0' if at == first => Place::Fixed,
            b'0'..=b'9' if at == first => Place::FirstDigit,
            b'0'..=b'9' => Place::Digit,
            _ => Place::Fixed,
        };
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tests::any_json;
    use super::*;

    const ANSWER: &str = r#"{"jsonrpc":"2.0","id":17,"result":{"content":[{"type":"text","text":"caf\u00e9 é 7"}],"n":-10.5e+07,"isError" :false}}"#;

    /// It has read the same message so often that it knows it.
    fn that_knows(text: &[u8]) -> Familiar {
        let mut familiar = Familiar::default();
        for _ in 0..2 {
            let _ = familiar.envelope(text);
        }
        familiar
    }

    #[test]
    fn another_id_and_other_text_are_recognised() {
        let familiar = that_knows(ANSWER.as_bytes());
        let other = ANSWER
            .replace("17", "90")
            .replace("caf", "the")
            .replace("10.5", "99.0");
        let expected = envelope(other.as_bytes()).expect("a message");
        assert_eq!(familiar.recognise(other.as_bytes()), Some(expected));
    }

    #[test]
    fn whatever_else_differs_is_not() {
        let familiar = that_knows(ANSWER.as_bytes());
        for (part, other) in [
            ("17", "07"),
            ("2.0", "2.1"),
            ("result", "resulT"),
            ("isError", "isErroR"),
            ("false", " true"),
            ("-10", "-00"),
            ("-10", "010"),
            ("e+07", "e+-7"),
            ("caf", "c\"f"),
            ("caf", "c\\f"),
            ("caf", "c\nf"),
            ("caf", "c\u{7f}f"),
            ("00e9", "00e\""),
            ("00e9", "00ea"),
            ("é", "è"),
            ("é", "ab"),
            ("\"text\"", "[text]"),
        ] {
            let other = ANSWER.replacen(part, other, 1);
            assert_ne!(other, ANSWER);
            assert_eq!(familiar.recognise(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn a_server_whose_answers_are_all_unlike_is_given_up() {
        let mut familiar = Familiar::default();
        for number in 0..100 {
            let answer = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{{"k{number:02}":0}}}}"#);
            let read = familiar.envelope(answer.as_bytes());
            assert_eq!(read, envelope(answer.as_bytes()));
        }
        assert_eq!(familiar.in_vain, PATIENCE);
    }

    proptest! {
        #[test]
        fn it_says_what_the_envelope_says(
            text in prop_oneof![
                any_message(),
                (any_json(), 0u64..2_000, any::<bool>()).prop_map(|(result, id, pretty)| {
                    let message = serde_json::json!({ "jsonrpc": "2.0", "id": id, "result": result });
                    if pretty { format!("{message:#}") } else { message.to_string() }
                }),
            ],
            changes in prop::collection::vec(
                prop::collection::vec((any::<prop::sample::Index>(), any_byte()), 0..6), 1..8),
        ) {
            let text = text.into_bytes();
            let mut familiar = that_knows(&text);
            for changes in changes {
                let mut other = text.clone();
                for (at, byte) in changes {
                    other[at.index(text.len())] = byte;
                }
                let expected = envelope(&other);
                prop_assert_eq!(familiar.envelope(&other), expected, "{}", String::from_utf8_lossy(&other));
            }
        }
    }

    /// Members as servers could write them: in any order, more than once, with escapes in their keys and blanks around.
    fn any_message() -> impl Strategy<Value = String> {
        let key = prop::sample::select(vec![
            "id",
            "\\u0069d",
            "result",
            "resul\\u0074",
            "isError",
            "is\\u0045rror",
            "jsonrpc",
            "x",
            "\\\\",
            "a:b",
            "\\\":",
        ]);
        let leaf = prop::sample::select(vec![
            "\"2.0\"",
            "7",
            "-10.50e-07",
            "0",
            "18446744073709551615",
            "true",
            "null",
            "\"a\\\"b: \\u00e9 é\"",
            "[1,\"2\",{\"id\":3}]",
            "{ \"isError\" : false }",
        ]);
        let blank = prop::sample::select(vec!["", " ", "\n\t"]);
        let value = (
            prop::collection::vec((key.clone(), leaf.clone()), 0..3),
            leaf.clone(),
        );
        let value = value.prop_map(|(members, leaf)| match members.as_slice() {
            [] => leaf.to_owned(),
            members => {
                let members = members
                    .iter()
                    .map(|(key, leaf)| format!("\"{key}\": {leaf}"));
                format!("{{{}}}", members.collect::<Vec<_>>().join(" ,"))
            }
        });
        let member = (key, blank, value);
        prop::collection::vec(member, 0..4).prop_perturb(|members, mut random| {
            let mut texts: Vec<String> = members
                .into_iter()
                .map(|(key, blank, value)| format!("\"{key}\"{blank}:{blank}{value}{blank}"))
                .collect();
            for needed in ["\"jsonrpc\":\"2.0\"", "\"id\":42", "\"result\":{\"n\":42}"] {
                let at = random.random_range(0..=texts.len());
                texts.insert(at, needed.to_owned());
            }
            format!("{{{}}}", texts.join(","))
        })
    }

    fn any_byte() -> impl Strategy<Value = u8> {
        prop_oneof![
            any::<u8>(),
            prop::sample::select(b"0189-.eE\"\\{}[]:,tn \x7f".to_vec())
        ]
    }
}
