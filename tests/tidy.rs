//! What clippy cannot see: unbiased selects, the walls between crates, the length of files.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// No file is longer, tests included.
const LONGEST_FILE: usize = 500;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources_under(folder: &Path, found: &mut Vec<PathBuf>) {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let path = entry
            .expect("an entry of a folder that was just read")
            .path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if path.is_dir() && name != "target" && !name.starts_with('.') && name != "runs" {
            sources_under(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn sources() -> Vec<(String, String)> {
    let mut paths = Vec::new();
    sources_under(&root(), &mut paths);
    assert!(
        paths.len() > 20,
        "the walk found only {} sources",
        paths.len()
    );
    let read = |path: PathBuf| {
        let name = path
            .strip_prefix(root())
            .unwrap_or(&path)
            .display()
            .to_string();
        (
            name,
            fs::read_to_string(&path).expect("a source that was just found"),
        )
    };
    paths.into_iter().map(read).collect()
}

/// Places of `select!` whose first word is not `biased`: which branch wins must not be drawn at random.
fn unbiased_selects(source: &str) -> Vec<usize> {
    let marker = concat!("select", "! {");
    source
        .match_indices(marker)
        .filter(|(at, _)| {
            !source[at + marker.len()..]
                .trim_start()
                .starts_with("biased;")
        })
        .map(|(at, _)| source[..at].lines().count() + 1)
        .collect()
}

#[test]
fn every_select_is_biased() {
    let select = concat!("select", "!");
    assert_eq!(
        unbiased_selects(&format!("a\n{select} {{ x => y }}")).len(),
        1
    );
    assert!(unbiased_selects(&format!("{select} {{\n biased;\n x => y }}")).is_empty());
    for (name, source) in sources() {
        let lines = unbiased_selects(&source);
        assert!(
            lines.is_empty(),
            "{name}: a select without `biased;` near lines {lines:?}"
        );
    }
}

/// `println!` and its like panic where nobody reads any more, and a panic while another one is on its way ends the
/// program at once, with everything that it broke.
#[test]
fn nothing_that_is_said_can_end_the_program() {
    let marker = concat!("print", "ln!(");
    for (name, source) in sources() {
        let is_told = name.starts_with("harness/") && !name.ends_with("tests.rs");
        assert!(
            !is_told || !source.contains(marker),
            "{name}: say it with `progress::note`, or with `say` of the commands"
        );
    }
}

#[test]
fn no_file_is_too_long() {
    for (name, source) in sources() {
        let lines = source.lines().count();
        assert!(
            lines <= LONGEST_FILE,
            "{name} has {lines} lines: split it at {LONGEST_FILE}"
        );
    }
}

/// Which of our crates a manifest names.
fn own_dependencies(manifest: &Path) -> Vec<String> {
    let text = fs::read_to_string(manifest).expect("a manifest of the workspace");
    let after = text.split("[dependencies]").nth(1).unwrap_or_default();
    let section = after.split("\n[").next().unwrap_or_default();
    let names = section
        .lines()
        .filter_map(|line| line.split(['.', ' ', '=']).next());
    names
        .filter(|name| name.starts_with("firedrill"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_walls_between_crates_stand() {
    let allowed: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("scenarios", &[][..]),
        ("reports/evidence", &[]),
        ("simulators/erlmcp", &[]),
        ("reports", &["firedrill-scenarios", "firedrill-evidence"]),
    ]);
    for (folder, allowed) in allowed {
        let own = own_dependencies(&root().join(folder).join("Cargo.toml"));
        for name in own {
            assert!(
                allowed.contains(&name.as_str()),
                "{folder} must not depend on {name}"
            );
        }
    }
    let harness = own_dependencies(&root().join("Cargo.toml"));
    assert!(
        harness.len() >= 4,
        "the harness sees every room: {harness:?}"
    );
}

/// The sources that lift a ban: a lint is named nowhere else, in whatever form and over however many lines.
fn lifting(lint: &str) -> Vec<String> {
    let lifts = |source: &str| source.contains(lint);
    let found = sources().into_iter().filter(|(_, source)| lifts(source));
    let mut names: Vec<String> = found.map(|(name, _)| name).collect();
    names.sort();
    names
}

#[test]
fn time_is_read_in_the_clock_files_alone() {
    assert_eq!(
        lifting(concat!("disallowed", "_methods")),
        ["harness/clock.rs", "simulators/erlmcp/src/clock.rs"]
    );
}

#[test]
fn code_that_is_unsafe_has_one_room() {
    assert_eq!(
        lifting(concat!("unsafe", "_code")),
        ["harness/load/pacer.rs"]
    );
}
