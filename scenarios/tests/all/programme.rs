//! Programmes: the shipped one, what is refused, and the file again.

use firedrill_scenarios::programme::{ShownBy, is_programme};
use firedrill_scenarios::{Given, Programme, about, catalog, programme_schema, programmes};
use serde_json::Value;

fn parse(text: &str) -> Result<Programme, String> {
    let given = Given::named("night.yaml");
    Programme::parse(text, &given).map_err(|problems| problems.to_string())
}

#[test]
fn every_shipped_programme_names_shipped_scenarios_and_is_the_same_again() {
    let validator = jsonschema::validator_for(&programme_schema()).unwrap();
    for (name, text) in programmes() {
        let programme = parse(text).unwrap();
        assert!(is_programme(text) && programme.name == *name);
        assert_eq!(about(text), programme.about);
        for drill in &programme.drills {
            assert!(catalog().iter().any(|(known, _)| known == drill), "{drill}");
        }
        let again = programme.to_yaml();
        assert_eq!(parse(&again).unwrap(), programme, "{again}");
        for text in [*text, again.as_str()] {
            let value: Value = serde_saphyr::from_str(text).unwrap();
            assert!(validator.is_valid(&value), "{text}");
        }
    }
    assert!(catalog().iter().all(|(_, text)| !is_programme(text)));
}

/// The procedure's monthly test, step by step.
#[test]
fn the_night_has_the_four_disasters_and_the_seven_steps() {
    let (_, text) = programmes()
        .iter()
        .find(|(name, _)| *name == "dr-night")
        .unwrap();
    let night = parse(text).unwrap();
    assert_eq!(
        night.drills,
        [
            "site-failure",
            "data-corruption",
            "system-failure",
            "natural-disaster"
        ]
    );
    let steps: Vec<(&str, ShownBy)> = night
        .steps
        .iter()
        .map(|step| (step.name.as_str(), step.shown_by))
        .collect();
    let names = [
        "setup_test_environment",
        "execute_failover_procedures",
        "test_data_recovery",
        "verify_service_restoration",
        "performance_validation",
        "document_dr_test_results",
        "cleanup_test_environment",
    ];
    assert_eq!(
        steps,
        names.into_iter().zip(ShownBy::ALL).collect::<Vec<_>>()
    );
    let page = night.describe();
    assert!(
        page.contains("4 natural-disaster") && page.contains("(in site-failure, natural-disaster)")
    );
}

#[test]
fn what_is_wrong_is_named_with_its_remedy() {
    const RIGHT: &str =
        "programme: night\ndrills: [one, two]\nsteps: [{ step: all, shown_by: set-up }]\n";
    parse(RIGHT).unwrap();
    for (right, wrong, said) in [
        ("night", "two words", "cannot be the name"),
        ("[one, two]", "[]", "shows nothing"),
        ("[one, two]", "[one, one]", "twice"),
        ("set-up", "setup", "none of the kinds of evidence"),
        (
            "set-up",
            "set-up, in: [three]",
            "no drill is called `three`",
        ),
        ("set-up", "set-up, in: []", "no evidence"),
        (
            "set-up }",
            "set-up }, { step: all, shown_by: clean-up }",
            "twice",
        ),
        ("drills", "drill", "unknown key"),
    ] {
        let text = RIGHT.replacen(right, wrong, 1);
        let problems = parse(&text).expect_err(wrong);
        assert!(problems.contains(said), "{problems}");
    }
}

#[test]
fn a_part_of_the_monthly_test_does_not_cover_it() {
    let shipped = programmes().iter().find(|(name, _)| *name == "dr-night");
    let (_, night) = shipped.expect("it is shipped");
    for (right, wrong, said) in [
        (
            "  - { step: test_data_recovery,          shown_by: data-recovery }\n",
            "",
            "add { step: test_data_recovery, shown_by: data-recovery }",
        ),
        (
            "shown_by: data-recovery",
            "shown_by: set-up",
            "`test_data_recovery` is not shown by `data-recovery`",
        ),
        (
            "shown_by: clean-up }",
            "shown_by: clean-up, in: [site-failure] }",
            "`cleanup_test_environment` says nothing of `data-corruption`",
        ),
    ] {
        assert!(night.contains(right));
        let text = night.replacen(right, wrong, 1);
        let problems = parse(&text).expect_err(said);
        assert!(problems.contains(said), "{problems}");
        // It may be run as something else.
        let own = text.replace("covers:", "# covers:");
        parse(&own).expect("a programme of its own");
    }
}
