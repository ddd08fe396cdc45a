//! Links within the clone lead to a file, and to a heading of it.

use std::{fs, path::Path};

use crate::page::{pages, root};

#[test]
fn they_lead_somewhere() {
    for page in pages() {
        let folder = Path::new(&page.name).parent().unwrap();
        for link in page.prose.split("](").skip(1).map(|rest| rest.split(')').next().unwrap()) {
            if link.starts_with("http") {
                continue;
            }
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let path = if file.is_empty() { root().join(&page.name) } else { root().join(folder).join(file) };
            assert!(path.exists(), "{} leads to {file}, which is not there", page.name);
            let target = fs::read_to_string(&path).unwrap_or_default();
            let mut headings = target.lines().filter(|line| line.starts_with('#')).map(anchor);
            assert!(heading.is_empty() || headings.any(|it| it == heading), "{}: no heading {link}", page.name);
        }
    }
}

/// A heading's anchor, as most forges make it.
fn anchor(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    heading.trim_start_matches('#').trim().to_lowercase().chars().filter(kept).collect::<String>().replace(' ', "-")
}
