//! The map of `ledger:`.

use super::{Kind, What, key};

pub(crate) static LEDGER: Kind = Kind {
    name: "ledger",
    about: "How everything that is stored is read back, page by page.",
    keys: &[
        key(
            "tool",
            What::Text,
            None,
            "tools/call of this tool gives a page.",
        ),
        key(
            "arguments",
            What::Template,
            None,
            "Its arguments, with `{{cursor}}` where the page begins.",
        ),
        key("method", What::OperationName, None, "Any other method."),
        key(
            "params",
            What::Template,
            None,
            "Its parameters, with `{{cursor}}`.",
        ),
        key(
            "first_cursor",
            What::Text,
            None,
            "What `{{cursor}}` is for the first page.",
        ),
        key(
            "records",
            What::Pointer,
            None,
            "Where the list of records stands in the result.",
        ),
        key(
            "next",
            What::Pointer,
            None,
            "Where the next cursor stands in the result: absent, null or empty at the end.",
        ),
        key(
            "client",
            What::Pointer,
            None,
            "Where `{{ledger.client}}` stands in a record.",
        ),
        key(
            "sequence",
            What::Pointer,
            None,
            "Where `{{ledger.sequence}}` stands in a record.",
        ),
        key(
            "value",
            What::Pointer,
            None,
            "Where `{{ledger.value}}` stands in a record.",
        ),
        key(
            "epoch",
            What::Pointer,
            None,
            "Where a record says in which epoch it was written, if it does.",
        ),
        key(
            "position",
            What::Pointer,
            None,
            "Where a record says its place in the order of all writes, if it does.",
        ),
        key(
            "pace",
            What::Rate,
            Some("50/s"),
            "Pages asked for a second at most.",
        ),
    ],
    required: &[
        "first_cursor",
        "records",
        "next",
        "client",
        "sequence",
        "value",
    ],
    instead: &[],
    one_of: &["tool", "method"],
};
