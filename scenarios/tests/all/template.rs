//! What templates render is JSON, and each hole holds what was meant.

use std::ops::Range;

use firedrill_scenarios::template::{Template, Values, WriteKey};
use firedrill_scenarios::{Given, Plan};
use proptest::prelude::*;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;
use serde_json::{Value, json};

/// The template of an echo with these arguments, written as YAML.
fn template(arguments: &str, extra: &str, given: &Given) -> Template {
    let text = format!(
        "scenario: t\nload:\n  rate: 100/s\n{extra}  operations:\n    - {{ tool: first, save: {{ v: /v }} }}\n    \
         - {{ tool: echo, arguments: {arguments} }}\n  flows: [{{ name: f, steps: [first, echo] }}]\n\
         timeline: [{{ phase: steady, for: 10s }}]\n"
    );
    let plan = Plan::parse(&text, given).unwrap_or_else(|problems| panic!("{problems}"));
    plan.loads[0].operations[1].params.clone().unwrap()
}

fn simple(arguments: &str) -> Template {
    template(arguments, "", &Given::named("t.yaml"))
}

fn values<'a>(cells: &'a [String], columns: usize, saved: &'a [Vec<u8>]) -> Values<'a> {
    Values {
        seed: 0xfeed,
        stripe: 7,
        count: 12,
        load: 1,
        seq: 3,
        session: 9,
        row: 0,
        cells,
        columns,
        saved,
        write: WriteKey::default(),
        cursor: "",
    }
}

fn render(template: &Template, values: &Values<'_>, seed: u64) -> (Vec<u8>, Vec<Range<u32>>) {
    let mut out = b"before".to_vec();
    let mut spans = vec![0..0; template.spans];
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    template.render(values, &mut random, &mut out, &mut spans);
    (out, spans)
}

fn arguments(template: &Template, values: &Values<'_>, seed: u64) -> Value {
    let (out, _) = render(template, values, seed);
    let text = out.strip_prefix(b"before").unwrap();
    let value: Value = serde_json::from_slice(text)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(text)));
    value["arguments"].clone()
}

#[test]
fn holes_have_their_own_types() {
    let template = simple(
        "{ u: '{{unique}}', s: '{{seq}}', n: '{{session}}', in: 'a{{seq}}b', one: '{{int(5,5)}}', \
         z: '{{zipf(1)}}', p: '{{pad(4)}}', k: '{{pick(only)}}', plain: 08, t: yes, f: true, nil: ~, e: }",
    );
    assert_eq!(
        arguments(&template, &values(&[], 0, &[]), 1),
        json!({
            "u": "feed-7-1-c", "s": 3, "n": 9, "in": "a3b", "one": 5, "z": 1, "p": "xxxx", "k": "only",
            "plain": "08", "t": "yes", "f": true, "nil": null, "e": null
        })
    );
}

#[test]
fn saved_values_are_inserted_as_json() {
    let template = simple("{ whole: '{{saved.v}}', inside: '<{{saved.v}}>' }");
    let show = |saved: &str| {
        let saved = [saved.as_bytes().to_vec()];
        arguments(&template, &values(&[], 0, &saved), 1)
    };
    assert_eq!(
        show(r#""a\"b\u00e9""#),
        json!({"whole": "a\"bé", "inside": "<a\"bé>"})
    );
    assert_eq!(
        show("[1,{\"x\":\"y\"}]"),
        json!({"whole": [1, {"x": "y"}], "inside": "<[1,{\"x\":\"y\"}]>"})
    );
    assert_eq!(show(""), json!({"whole": null, "inside": "<null>"}));
}

#[test]
fn spans_hold_the_argument_as_it_was_sent() {
    let text = "scenario: t\nload:\n  rate: 1/s\n  operations:\n    - tool: echo\n      \
        arguments: { n: '{{seq}}', m: 'a\"{{seq}}' }\n      \
        check: { /b: '{{m}}', /a: '{{n}}', /c: 'x{{m}}' }\n\
        timeline: [{ phase: steady, for: 1min }]\n";
    let plan = Plan::parse(text, &Given::named("t.yaml")).unwrap();
    let template = plan.loads[0].operations[0].params.clone().unwrap();
    assert_eq!(template.arguments, ["m", "n"]);
    let (out, spans) = render(&template, &values(&[], 0, &[]), 1);
    let shown: Vec<&[u8]> = spans
        .iter()
        .map(|s| &out[s.start as usize..s.end as usize])
        .collect();
    assert_eq!(shown, [&br#""a\"3""#[..], b"3"]);
}

#[test]
fn zipf_follows_its_weights() {
    let template = simple("{ rank: '{{zipf(5,1.2)}}' }");
    let mut counts = [0u32; 5];
    let draws = 20_000;
    for seed in 0..draws {
        let rank = arguments(&template, &values(&[], 0, &[]), seed)["rank"]
            .as_u64()
            .unwrap();
        counts[rank as usize - 1] += 1;
    }
    let total: f64 = (1..=5).map(|k| f64::from(k).powf(-1.2)).sum();
    let chi_squared: f64 = counts
        .iter()
        .zip(1..)
        .map(|(count, k)| {
            let expected = draws as f64 * f64::from(k).powf(-1.2) / total;
            (f64::from(*count) - expected).powi(2) / expected
        })
        .sum();
    // Four degrees of freedom: 23.5 is passed by chance once in ten thousand.
    assert!(chi_squared < 23.5, "{counts:?}: {chi_squared}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn cells_and_words_come_out_as_they_went_in(cell in any::<String>(), word in "[^\"{}$\u{0}-\u{1f}\u{7f}-\u{9f}\u{2028}\u{2029}\u{feff}\u{fffe}\u{ffff}]{1,9}") {
        let mut given = Given::named("t.yaml");
        given.files.insert("c.csv".to_owned(), b"c,d\nx,y\n".to_vec());
        let pick = serde_json::to_string(&format!("{{{{pick(\"{word}\")}}}}")).unwrap();
        let template = template(
            &format!("{{ cell: '{{{{csv.d}}}}', inside: '<{{{{csv.d}}}}>', word: {pick} }}"),
            "  csv: c.csv\n",
            &given,
        );
        let cells = ["x".to_owned(), cell.clone()];
        let shown = arguments(&template, &values(&cells, 2, &[]), 1);
        let is_number = serde_json::from_str::<Value>(&cell).is_ok_and(|value| value.is_number())
            && cell.trim() == cell;
        if is_number {
            prop_assert_eq!(shown["cell"].to_string(), serde_json::from_str::<Value>(&cell).unwrap().to_string());
        } else {
            prop_assert_eq!(&shown["cell"], &json!(cell));
        }
        prop_assert_eq!(&shown["inside"], &json!(format!("<{cell}>")));
        prop_assert_eq!(&shown["word"], &json!(word));
    }

    #[test]
    fn drawn_values_are_in_their_ranges_and_repeat_with_the_seed(seed in any::<u64>(), low in -1000i64..1000, more in 0i64..1000) {
        let template = simple(&format!(
            "{{ i: '{{{{int({low},{})}}}}', w: '{{{{pick(a,b,c)}}}}', z: '{{{{zipf(7)}}}}' }}", low + more
        ));
        let nothing = values(&[], 0, &[]);
        let shown = arguments(&template, &nothing, seed);
        prop_assert!((low..=low + more).contains(&shown["i"].as_i64().unwrap()));
        prop_assert!(["a", "b", "c"].contains(&shown["w"].as_str().unwrap()));
        prop_assert!((1..=7).contains(&shown["z"].as_u64().unwrap()));
        prop_assert_eq!(render(&template, &nothing, seed), render(&template, &nothing, seed));
    }

    #[test]
    fn saved_values_of_any_kind_stay_json(text in any::<String>(), number in any::<f64>()) {
        let template = simple("{ whole: '{{saved.v}}', inside: '<{{saved.v}}>' }");
        for value in [json!(text), json!({ "k": [text, number] })] {
            let saved = [value.to_string().into_bytes()];
            let shown = arguments(&template, &values(&[], 0, &saved), 1);
            prop_assert_eq!(&shown["whole"], &value);
            let inside = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            prop_assert_eq!(&shown["inside"], &json!(format!("<{inside}>")));
        }
    }
}

proptest! {
    #[test]
    fn an_own_text_is_the_same_numbers_as_formatting_writes(
        seed: u64, stripe: u16, load: u16, count: u64, seq: u64
    ) {
        let template = simple("{ u: '{{unique}}', s: '{{seq}}', inside: '<{{seq}}>' }");
        let given = values(&[], 0, &[]);
        let given = Values { seed, stripe, load, count, seq, ..given };
        let shown = arguments(&template, &given, 1);
        prop_assert_eq!(&shown["u"], &json!(format!("{seed:x}-{stripe:x}-{load:x}-{count:x}")));
        prop_assert_eq!(&shown["s"], &json!(seq));
        prop_assert_eq!(&shown["inside"], &json!(format!("<{seq}>")));
    }
}
