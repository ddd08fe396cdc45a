//! The flags that pages name exist, and `docs/cli.md` names all that there are.

use std::collections::BTreeSet;

use crate::{
    page::pages,
    program::{Folder, exits},
};

#[test]
fn they_exist_and_none_is_forgotten() {
    let folder = Folder::new("");
    let (mut all, pages) = (BTreeSet::new(), pages());
    let cli = &pages.iter().find(|page| page.name == "docs/cli.md").unwrap().text;
    for section in cli.split("\n## realmgate ").skip(1) {
        let (command, section) = section.split_once('\n').unwrap();
        let arguments: Vec<_> = command.split(' ').chain(["--help"]).collect();
        let known: BTreeSet<_> = flags(&exits(&folder.run(&arguments), 0)).collect();
        let named: BTreeSet<_> = flags(section).chain(["--help", "--version"].map(str::to_owned)).collect();
        let forgotten: Vec<_> = known.difference(&named).collect();
        // `check` takes the flags of `serve`, and the page says so
        assert!(forgotten.is_empty() || command == "check", "docs/cli.md does not name {forgotten:?} of {command}");
        all.extend(known);
    }
    for page in &pages {
        for call in page.text.replace("\\\n", " ").split("realmgate ").skip(1) {
            for flag in flags(call.split(['`', '\n', '#', '|']).next().unwrap()) {
                assert!(all.contains(&flag), "{}: realmgate knows no {flag}", page.name);
            }
        }
    }
}

fn flags(text: &str) -> impl Iterator<Item = String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
    words.filter(|word| word.starts_with("--") && word.contains(|c: char| c != '-')).map(str::to_owned)
}
