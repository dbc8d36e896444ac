//! The commands of the README, and what they print.

use std::fs;
use std::path::Path;

use axum::body::Body;
use axum::http::{Method, Request};

use crate::harness::Server;

/// The words of a command line, with single quotes as the shell reads them.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            _ => words.last_mut().unwrap().push(c),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The request that a curl command sends.
fn request(command: &str) -> Request<Body> {
    let mut arguments = words(command).into_iter().skip(1);
    let (mut method, mut url, mut body) = (Method::GET, String::new(), Body::empty());
    let mut request = Request::builder();
    while let Some(argument) = arguments.next() {
        let mut next = || arguments.next().unwrap_or_else(|| panic!("{command} is cut short"));
        match argument.as_str() {
            "-s" => {}
            "-d" => {
                method = Method::POST;
                body = Body::from(next());
                request = request.header("content-type", "application/x-www-form-urlencoded");
            }
            "-H" => {
                let header = next();
                let (name, value) = header.split_once(": ").unwrap();
                request = request.header(name, value);
            }
            _ => url = argument,
        }
    }
    let path = url.strip_prefix("localhost:8080").unwrap_or_else(|| panic!("{url} is not ours"));
    request.method(method).uri(path).body(body).unwrap()
}

#[test]
fn the_tour_prints_what_the_readme_says() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(readme).unwrap();
    let tour = readme.split("```console\n").nth(1).and_then(|rest| rest.split("```").next());
    let mut lines = tour.expect("the README has a tour").lines().peekable();
    let server = Server::new();
    let mut commands = 0;
    while let Some(line) = lines.next() {
        let command = line.strip_prefix("$ ").unwrap_or_else(|| panic!("{line} is no command"));
        let mut printed = Vec::new();
        while let Some(line) = lines.next_if(|line| !line.starts_with("$ ")) {
            printed.push(line);
        }
        let answer = server.send(request(command));
        let masked = mask_id(answer.text().trim_end());
        assert_eq!(masked, mask_id(&printed.join("\n")), "{command}");
        commands += 1;
    }
    assert!(8 <= commands, "the tour has {commands} commands");
}

/// A text with the request id in it left out: it is another one every time.
fn mask_id(text: &str) -> String {
    match text.split_once("\"request_id\":\"") {
        Some((before, after)) => {
            let rest = after.split_once('"').map_or("", |(_, rest)| rest);
            format!("{before}\"request_id\":\"\"{rest}")
        }
        None => text.to_owned(),
    }
}
