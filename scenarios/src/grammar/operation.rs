//! The maps below `operations:`.

use super::{Kind, What, key};

pub(crate) static OPERATION: Kind = Kind {
    name: "operation",
    about: "One request and what has to come back.",
    keys: &[
        key("tool", What::Text, None, "tools/call of this tool."),
        key(
            "resource",
            What::Text,
            None,
            "resources/read of this URI, which may hold templates.",
        ),
        key("prompt", What::Text, None, "prompts/get of this prompt."),
        key(
            "method",
            What::OperationName,
            None,
            "Any other method, with its `params`.",
        ),
        key(
            "ledger",
            What::Words(&LEDGER_USES),
            None,
            "`write`: an ok answer acknowledges a record that has to be found again later; `read`: looks for one that \
             was acknowledged. Alone it is `ledger_put` or `ledger_get` of erlmcp; beside a tool or method, whose \
             arguments hold `{{ledger.client}}`, `{{ledger.sequence}}` and `{{ledger.value}}`, it is that of any target.",
        ),
        key(
            "name",
            What::OperationName,
            None,
            "Unique in the load. Default: the tool's name, or the method.",
        ),
        key(
            "arguments",
            What::Template,
            None,
            "Arguments of the tool or prompt; texts may hold templates.",
        ),
        key(
            "params",
            What::Template,
            None,
            "Parameters of the method; texts may hold templates.",
        ),
        key(
            "weight",
            What::Weight,
            Some("1"),
            "How often it is started on its own, relative to other weights.",
        ),
        key(
            "timeout",
            What::Duration,
            Some("5s"),
            "From the due time to the result.",
        ),
        key(
            "max_answer",
            What::Size,
            Some("1MiB"),
            "A larger answer is `protocol.oversize`.",
        ),
        key(
            "expect",
            What::OneOf(&[What::Words(&EXPECTATIONS), What::Map(&EXPECT)]),
            Some("result"),
            "What has to come back: `result`, `tool_error` (isError: true), or {rpc_error: CODE}.",
        ),
        key(
            "check",
            What::OneOf(&[CHECKS, What::List(&CHECKS)]),
            None,
            "Conditions on the result, by JSON pointer; `{{argument}}` stands for an argument as it was sent. \
             `size` is the size of the whole answer.",
        ),
        key(
            "save",
            What::Named(&What::Pointer),
            None,
            "Values of the result that later steps of the flow use as `{{saved.NAME}}`.",
        ),
    ],
    required: &[],
    instead: &["ledger"],
    one_of: &["tool", "resource", "prompt", "method"],
};

pub(crate) static LEDGER_USES: [&str; 2] = ["write", "read"];

pub(crate) static EXPECTATIONS: [&str; 2] = ["result", "tool_error"];

const CHECKS: What = What::Pointed(&What::OneOf(&[What::Map(&CONDITION), What::Template]));

pub(crate) static EXPECT: Kind = Kind {
    name: "expect",
    about: "An error that has to come back.",
    keys: &[key(
        "rpc_error",
        What::Number,
        None,
        "Code of the JSON-RPC error.",
    )],
    required: &["rpc_error"],
    instead: &[],
    one_of: &[],
};

pub(crate) static CONDITION: Kind = Kind {
    name: "condition",
    about: "Conditions on one value; all of them have to hold.",
    keys: &[
        key("equals", What::Template, None, "The same JSON value."),
        key("contains", What::Text, None, "A text that holds this one."),
        key("below", BOUND, None, "A number below this one."),
        key("above", BOUND, None, "A number above this one."),
        key(
            "at_most",
            BOUND,
            None,
            "A number that is not above this one.",
        ),
        key(
            "at_least",
            BOUND,
            None,
            "A number that is not below this one.",
        ),
        key(
            "exists",
            What::Flag,
            None,
            "True: there is such a value. False: there is none.",
        ),
    ],
    required: &[],
    instead: &[],
    one_of: &[],
};

/// A number; a size in the condition on `size`.
const BOUND: What = What::OneOf(&[What::Number, What::Size]);
