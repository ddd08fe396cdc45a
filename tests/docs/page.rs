//! The pages, taken apart into prose and blocks.

use std::{fs, path::Path};

pub(crate) struct Page {
    /// From the root of the clone.
    pub(crate) name: String,
    pub(crate) text: String,
    /// The text without its blocks.
    pub(crate) prose: String,
    pub(crate) blocks: Vec<Block>,
}

/// What stands between two fences.
pub(crate) struct Block {
    /// Page and line.
    pub(crate) place: String,
    pub(crate) language: String,
    /// The name that stands alone on the line before it, such as `config.toml`.
    pub(crate) file: Option<String>,
    pub(crate) text: String,
}

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// README.md and all of `docs/`.
pub(crate) fn pages() -> Vec<Page> {
    let docs = fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().file_name());
    let docs = docs.map(|name| format!("docs/{}", name.to_str().unwrap())).filter(|name| name.ends_with(".md"));
    let mut names: Vec<_> = docs.chain(["README.md".to_owned()]).collect();
    names.sort();
    names.into_iter().map(page).collect()
}

fn page(name: String) -> Page {
    let text = fs::read_to_string(root().join(&name)).unwrap();
    let (mut prose, mut blocks, mut last) = (String::new(), Vec::new(), "");
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let Some(language) = line.trim_start().strip_prefix("```") else {
            prose.push_str(line);
            prose.push('\n');
            last = if line.trim().is_empty() { last } else { line.trim() };
            continue;
        };
        let file = last.strip_prefix('`').and_then(|name| name.strip_suffix('`')).filter(|name| !name.contains('`'));
        let indentation = line.len() - line.trim_start().len();
        let inside = lines.by_ref().map(|(_, line)| line).take_while(|line| line.trim() != "```");
        blocks.push(Block {
            place: format!("{name}:{}", number + 1),
            language: language.to_owned(),
            file: file.map(str::to_owned),
            text: inside.map(|line| format!("{}\n", line.get(indentation..).unwrap_or_default())).collect(),
        });
        last = "";
    }
    Page { name, prose, blocks, text }
}
