//! What operations mean to the ledger, and how it is read back.

use super::fields::Fields;
use super::load::Loads;
use super::reader::Reader;
use crate::grammar::ledger;
use crate::plan::{Ledger, LedgerUse, Pointer, Profile, Rate};
use crate::template::compile::Compiler;
use crate::template::hole::Scope;
use crate::template::{Piece, Source, Template};
use crate::text::tree::Item;

pub(crate) static USES: [(&str, LedgerUse); 2] =
    [("write", LedgerUse::Write), ("read", LedgerUse::Read)];

/// Requests of a scan a second, where the scenario does not say.
const PACE: Rate = Rate(50.0);

// ---- operations ----

pub(super) fn use_of(fields: &Fields<'_>, item: &Item) -> Option<LedgerUse> {
    fields.refuse(
        &["expect"],
        "`ledger`",
        "an ok answer is what acknowledges the write: take it out",
    );
    fields.reader.word(item, "uses of the ledger", &USES)
}

/// The stand-in's tool.
pub(super) fn tool(of: LedgerUse) -> &'static str {
    match of {
        LedgerUse::Write => "ledger_put",
        LedgerUse::Read => "ledger_get",
    }
}

/// What an operation has to send, and the words for it in arguments.
fn sent(of: LedgerUse) -> &'static [(&'static str, Source)] {
    const KEY: [(&str, Source); 3] = [
        ("client", Source::LedgerClient),
        ("sequence", Source::LedgerSequence),
        ("value", Source::LedgerValue),
    ];
    match of {
        LedgerUse::Write => &KEY,
        LedgerUse::Read => &KEY[..2],
    }
}

/// The parameters of the stand-in's tool.
pub(super) fn arguments(compiler: &mut Compiler<'_>, of: LedgerUse) {
    compiler.raw(&format!("{{\"name\":\"{}\",\"arguments\":{{", tool(of)));
    for (index, (name, source)) in sent(of).iter().enumerate() {
        let comma = if index > 0 { "," } else { "" };
        compiler.raw(&format!("{comma}\"{name}\":"));
        compiler.hole(source.clone());
    }
    compiler.raw("}}");
}

/// Without its key a record could never be found again.
pub(super) fn names_its_key(fields: &Fields<'_>, of: LedgerUse, params: Option<&Template>) {
    for (name, source) in sent(of) {
        if !params.is_some_and(|params| holds(params, source)) && fields.reader.is_clean() {
            fields.reader.problem(
                fields.key_place("ledger"),
                format!("the operation does not send the record's {name}"),
                format!("put \"{{{{ledger.{name}}}}}\" into its arguments"),
            );
        }
    }
}

fn holds(template: &Template, source: &Source) -> bool {
    template.pieces.iter().any(|piece| match piece {
        Piece::InString(own) | Piece::Whole(own) => own == source,
        Piece::Literal(_) | Piece::SpanStart(_) | Piece::SpanEnd(_) => false,
    })
}

// ---- the way back ----

/// How records are read back; `None` when nothing is written.
pub(crate) fn ledger(fields: &Fields<'_>, loads: &Loads, profile: &Profile) -> Option<Ledger> {
    let reader = fields.reader;
    let writes = writes(loads);
    let Some(item) = fields.get("ledger") else {
        if writes && !profile.is_erlmcp() {
            reader.problem(
                fields.place,
                format!("writes cannot be read back: the profile `{}` does not say how", profile.name),
                "add ledger: { tool: ..., arguments: { from: \"{{cursor}}\" }, records: /pointer, ... }",
            );
        }
        return writes.then(Ledger::erlmcp);
    };
    if !writes && loads.complete {
        reader.problem(
            fields.key_place("ledger"),
            "there is a way to read the ledger back, and nothing is written to it",
            "add { ledger: write } to the operations, or take it out",
        );
    }
    stated(reader, item)
}

fn writes(loads: &Loads) -> bool {
    let mut operations = loads.all.iter().flat_map(|load| &load.operations);
    operations.any(|operation| operation.ledger == Some(LedgerUse::Write))
}

fn stated(reader: &Reader<'_>, item: &Item) -> Option<Ledger> {
    let fields = Fields::open(reader, item, &ledger::LEDGER)?;
    let (method, params) = page(&fields)?;
    let pointer = |key| fields.get(key).and_then(|item| reader.pointer(item));
    let pace = fields.rate("pace").unwrap_or(PACE);
    if pace.0 == 0.0 {
        reader.problem(
            fields.key_place("pace"),
            "no page would ever be asked for",
            "write pace: 50/s, or leave it out",
        );
    }
    Some(Ledger {
        method,
        params,
        first_cursor: fields.text("first_cursor")?,
        records: pointer("records")?,
        next: pointer("next")?,
        client: pointer("client")?,
        sequence: pointer("sequence")?,
        value: pointer("value")?,
        epoch: pointer("epoch"),
        position: pointer("position"),
        pace,
    })
}

/// Method and parameters of the request for a page.
fn page(fields: &Fields<'_>) -> Option<(String, Template)> {
    let reader = fields.reader;
    let scope = Scope {
        cursor: true,
        ..Scope::default()
    };
    let mut compiler = Compiler::new(reader, scope);
    let (tool, arguments, params) = (
        fields.get("tool"),
        fields.get("arguments"),
        fields.get("params"),
    );
    let method = if let Some(tool) = tool {
        fields.refuse(&["params"], "`tool`", "write `arguments:`");
        compiler.raw("{\"name\":");
        compiler.watched_text("name", tool, &[]);
        if let Some(arguments) = arguments {
            compiler.raw(",\"arguments\":");
            compiler.object(reader.named(arguments, "a map of arguments")?, &[]);
        }
        compiler.raw("}");
        "tools/call".to_owned()
    } else {
        fields.refuse(&["arguments"], "`method`", "write `params:`");
        let method = reader.tag(fields.get("method")?)?;
        match params {
            Some(params) => compiler.object(reader.named(params, "a map of parameters")?, &[]),
            None => compiler.raw("{}"),
        }
        method
    };
    let template = compiler.finish(Vec::new());
    if !holds(&template, &Source::Cursor) && reader.is_clean() {
        reader.problem(
            fields.place,
            "every page would be the first",
            "put \"{{cursor}}\" where the request says where a page begins",
        );
    }
    Some((method, template))
}

impl Ledger {
    /// The stand-in's own.
    fn erlmcp() -> Ledger {
        let literal = |json: &str| Piece::Literal(json.as_bytes().to_vec());
        let result = |name: &str| Pointer(vec!["structuredContent".to_owned(), name.to_owned()]);
        let member = |name: &str| Pointer(vec![name.to_owned()]);
        Ledger {
            method: "tools/call".to_owned(),
            params: Template {
                pieces: vec![
                    literal("{\"name\":\"ledger_scan\",\"arguments\":{\"from\":"),
                    Piece::Whole(Source::Cursor),
                    literal(",\"limit\":500}}"),
                ],
                spans: 0,
                arguments: Vec::new(),
            },
            first_cursor: "1".to_owned(),
            records: result("records"),
            next: result("next"),
            client: member("client"),
            sequence: member("sequence"),
            value: member("value"),
            epoch: Some(member("epoch")),
            position: Some(member("position")),
            pace: PACE,
        }
    }
}
