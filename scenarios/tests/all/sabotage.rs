//! Each sabotage names the drills in which it can show.

use crate::common;

use firedrill_scenarios::{Sabotage, catalog};

#[test]
fn each_fits_the_drills_that_it_names_and_no_others() {
    for sabotage in Sabotage::ALL {
        let fits: Vec<&str> = catalog()
            .iter()
            .filter(|(_, text)| sabotage.fits(&common::parse(text)).is_ok())
            .map(|(name, _)| *name)
            .collect();
        let mut named: Vec<&str> = sabotage.drills().to_vec();
        let listed: Vec<&str> = catalog().iter().map(|(name, _)| *name).collect();
        named.sort_by_key(|name| listed.iter().position(|own| own == name));
        assert_eq!(fits, named, "{sabotage}");
    }
}

/// On the way back it would strike after what it is to spoil has ended.
#[test]
fn a_relapse_fits_no_drill_that_leads_clients_back() {
    let (_, text) = catalog()
        .iter()
        .find(|(name, _)| *name == "site-failback")
        .unwrap();
    assert!(Sabotage::Relapse.fits(&common::parse(text)).is_err());
}

/// It would be red all the same, and for another reason.
#[test]
fn what_nobody_would_notice_is_refused() {
    let fits = |sabotage: Sabotage, name: &str, is: &str, now: &str| {
        let (_, text) = catalog().iter().find(|(own, _)| *own == name).unwrap();
        assert!(text.contains(is), "{text}");
        sabotage.fits(&common::parse(&text.replace(is, now)))
    };
    // Clients are not served by the other site.
    let (here, there) = ("site-failure: primary", "site-failure: dr");
    for sabotage in [Sabotage::NoFencing, Sabotage::SlowRecovery] {
        let refused = fits(sabotage, "site-failure", here, there).unwrap_err();
        assert!(refused.contains("first site"), "{refused}");
    }
    // None is older than the newest.
    let stale = Sabotage::RestoreStaleBackup;
    let refused = fits(stale, "data-corruption", "keep: 10", "keep: 1").unwrap_err();
    assert!(refused.contains("more than one backup"), "{refused}");
}

#[test]
fn on_another_drill_it_says_where_it_belongs() {
    let (_, text) = catalog()
        .iter()
        .find(|(name, _)| *name == "site-failure")
        .unwrap();
    let refused = Sabotage::AckBeforeFsync.fits(&common::parse(text));
    insta::assert_snapshot!(refused.unwrap_err());
}

#[test]
fn words_are_read_back_and_slips_are_met_with_the_list() {
    for sabotage in Sabotage::ALL {
        assert_eq!(sabotage.as_str().parse(), Ok(sabotage));
    }
    insta::assert_snapshot!("no-fencin".parse::<Sabotage>().unwrap_err());
}
