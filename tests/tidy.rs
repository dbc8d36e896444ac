//! The rules of ARCHITECTURE.md that can be checked by reading the source.

use std::fs;
use std::path::{Path, PathBuf};

/// Every Rust file below a folder, with its text.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        for path in entries.map(|entry| entry.expect("the folder can be read").path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = fs::read_to_string(&path).expect("sources are UTF-8");
                found.push((path, text));
            }
        }
    }
    assert!(!found.is_empty(), "{folder} has sources");
    found
}

fn shown(path: &Path) -> String {
    path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap_or(path).display().to_string()
}

#[test]
fn every_file_says_what_it_is_and_is_not_too_long() {
    for (path, text) in sources("src").into_iter().chain(sources("tests")) {
        assert!(text.starts_with("//! "), "{} does not say what it is", shown(&path));
        let lines = text.lines().count();
        assert!(lines <= 500, "{} has {lines} lines", shown(&path));
    }
}

#[test]
fn layers_name_only_those_below() {
    let allowed = |path: &str| -> &[&str] {
        match path.split('/').nth(1) {
            Some("numeric") => &["numeric"],
            Some("service") => &["service", "numeric", "config"],
            Some("wire") => &["wire", "service", "numeric", "config"],
            Some("config.rs") => &["config", "numeric"],
            _ => &["cli", "config", "wire", "service", "numeric"],
        }
    };
    for (path, text) in sources("src") {
        let path = shown(&path);
        for (number, line) in text.lines().enumerate() {
            for named in line.split("crate::").skip(1) {
                let end = named.find(|c: char| !c.is_alphanumeric() && c != '_');
                let layer = &named[..end.unwrap_or(named.len())];
                let fine = allowed(&path).contains(&layer);
                assert!(fine, "{path}:{}: this layer may not name {layer}", number + 1);
            }
        }
    }
}

#[test]
fn numerics_use_the_standard_library_only() {
    for (path, text) in sources("src/numeric") {
        for line in text.lines().filter(|line| line.starts_with("use ")) {
            let fine =
                ["use std::", "use super::", "use crate::"].iter().any(|p| line.starts_with(p));
            assert!(fine, "{}: {line}", shown(&path));
        }
    }
}

#[test]
fn unsafe_stands_in_two_files() {
    for (path, text) in sources("src") {
        let there = text.lines().any(|line| {
            let code = line.split("//").next().unwrap_or_default();
            code.contains("unsafe ") && !code.contains('"')
        });
        let expected = path.ends_with("numeric/simd.rs") || path.ends_with("wire/json/x86.rs");
        assert_eq!(there, expected, "unsafe in {}", shown(&path));
    }
}

#[test]
fn bodies_are_compiled_inside_the_function_of_their_level() {
    let bodies = ["fn at<R", "fn row<R", "fn run<R"];
    let mut checked = 0;
    for (path, text) in sources("src/numeric") {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for (number, line) in lines.iter().enumerate() {
            if bodies.iter().any(|body| line.starts_with(body)) && !is_declaration(&lines[number..])
            {
                let before = lines[number - 1];
                let where_ = format!("{}:{}", shown(&path), number + 1);
                assert_eq!(before, "#[inline(always)]", "{where_} is not inlined");
                checked += 1;
            }
        }
    }
    assert!(20 < checked);
}

/// Whether a function's head ends in `;`: a method of a trait without a body.
fn is_declaration(lines: &[&str]) -> bool {
    let end = lines.iter().find(|line| line.ends_with(';') || line.ends_with('{'));
    end.is_some_and(|line| line.ends_with(';'))
}
