//! A request in JSON: its members one after the other, tensors straight into their buffers.

use std::borrow::Cow;
use std::thread;

use super::cursor::Cursor;
use super::number::{FromLiteral, Literal};
use super::scan::{Ahead, Scanner};
use super::tensor;
use crate::numeric::args::Given;
use crate::numeric::card::{Card, Domain};
use crate::numeric::catalogue::edit_distance;
use crate::numeric::simd::Level;
use crate::service::request::{Dtype, Numbers, Request, Scalars};
use crate::wire::problem::{Code, Problem};

/// The members of a request that are not inputs.
const MEMBERS: [&str; 11] = [
    "params",
    "reduction",
    "outputs",
    "dtype",
    "sample_weight",
    "on_empty",
    "validate",
    "profile",
    "groups",
    "ids",
    "labels",
];

/// Bodies from this size on are scanned from several places at once.
const WORTH_THREADS: usize = 1 << 20;

/// What a body says, or the dtype that it should be read in instead.
pub enum Read<T> {
    /// The request.
    Request(Request<T>),
    /// The body asks for another dtype than it was read in.
    Other(Dtype),
}

/// Reads the body of a request for a loss. `scalars` holds what the query says.
pub fn read<T: FromLiteral>(
    card: &'static Card,
    body: &[u8],
    scalars: Scalars,
    level: Level,
    threads: usize,
) -> Result<Read<T>, Problem> {
    let threads = if body.len() < WORTH_THREADS { 1 } else { threads };
    read_from_places(card, body, scalars, level, threads)
}

/// Reads a body, whatever its size, from as many places at once as there are threads.
pub fn read_from_places<T: FromLiteral>(
    card: &'static Card,
    body: &[u8],
    scalars: Scalars,
    level: Level,
    threads: usize,
) -> Result<Read<T>, Problem> {
    let scanner = Scanner::new(level);
    if threads < 2 {
        return read_with(card, body, scalars, &mut Tensors { scanner, ahead: Ahead::none() });
    }
    thread::scope(|scope| {
        let ahead = Ahead::start(scope, body, level, threads);
        read_with(card, body, scalars, &mut Tensors { scanner, ahead })
    })
}

/// What tensors are read with.
struct Tensors<'scope, T> {
    scanner: Scanner,
    ahead: Ahead<'scope, T>,
}

fn read_with<T: FromLiteral>(
    card: &'static Card,
    body: &[u8],
    scalars: Scalars,
    tensors: &mut Tensors<'_, T>,
) -> Result<Read<T>, Problem> {
    let mut request = Request::<T>::new(card, scalars);
    let mut cursor = Cursor::new(body);
    if cursor.peek().is_none() {
        return Err(Problem::new(Code::MalformedJson, "the body is empty")
            .hint(format!("send a JSON object such as {}", card.example)));
    }
    if cursor.peek() != Some(b'{') {
        return Err(cursor
            .malformed("expected an object")
            .hint(format!("send a JSON object such as {}", card.example)));
    }
    // Unknown names are refused, so there are never many.
    let mut seen = Vec::new();
    let mut other = None;
    let mut overflow = None;
    object(&mut cursor, |cursor, name| {
        if seen.contains(&name) {
            let detail = format!("`{}` stands twice", shown(&name));
            return Err(
                Problem::new(Code::DuplicateMember, detail).pointer(&format!("/{}", token(&name)))
            );
        }
        if let Some(dtype) = member(cursor, tensors, &name, &mut request, &mut overflow)? {
            other = Some(dtype);
        }
        seen.push(name);
        Ok(())
    })?;
    cursor.end()?;
    match (other, overflow) {
        (Some(dtype), _) => Ok(Read::Other(dtype)),
        (None, Some(overflow)) => Err(overflow),
        (None, None) => Ok(Read::Request(request)),
    }
}

/// Walks the members of the object here.
fn object<'a>(
    cursor: &mut Cursor<'a>,
    mut member: impl FnMut(&mut Cursor<'a>, Cow<'a, str>) -> Result<(), Problem>,
) -> Result<(), Problem> {
    cursor.expect(b'{', "at the beginning of an object")?;
    if cursor.take(b'}') {
        return Ok(());
    }
    loop {
        let name = cursor.string()?;
        cursor.expect(b':', "after the name of a member")?;
        member(cursor, name)?;
        if !cursor.take(b',') {
            return cursor.expect(b'}', "or `,` after a member");
        }
    }
}

/// Reads one member. Gives the dtype if it is not the one that the body is read in.
fn member<T: FromLiteral>(
    cursor: &mut Cursor<'_>,
    tensors: &mut Tensors<'_, T>,
    name: &str,
    request: &mut Request<T>,
    overflow: &mut Option<Problem>,
) -> Result<Option<Dtype>, Problem> {
    let card = request.card;
    let Tensors { scanner, ahead } = tensors;
    if let Some(place) = card.input(name) {
        let input = &card.inputs[place];
        let pointer = ["/", name].concat();
        // Class indices are read in double precision, which holds every one of them.
        let wide = input.domain.is_integer() || input.domain == Domain::ClassOrDistribution;
        request.inputs[place] = Some(if wide {
            Numbers::Wide(tensor::read(cursor, scanner, None, &pointer, input.label, overflow)?)
        } else {
            Numbers::Exact(tensor::read(
                cursor,
                scanner,
                Some(ahead),
                &pointer,
                input.label,
                overflow,
            )?)
        });
        return Ok(None);
    }
    let pointer = ["/", name].concat();
    match name {
        "params" => {
            let mut seen = Vec::new();
            if cursor.peek() != Some(b'{') {
                return Err(wrong_type("params", "an object", &pointer, cursor));
            }
            object(cursor, |cursor, name| {
                let pointer = format!("/params/{}", token(&name));
                if seen.contains(&name) {
                    let detail = format!("`{}` stands twice", shown(&name));
                    return Err(Problem::new(Code::DuplicateMember, detail).pointer(&pointer));
                }
                let given = parameter(cursor, scanner, &pointer, overflow)?;
                request.scalars.set_param(card, &name, given)?;
                seen.push(name);
                Ok(())
            })?;
        }
        "sample_weight" => {
            request.sample_weight =
                Some(tensor::read(cursor, scanner, Some(ahead), &pointer, false, overflow)?);
        }
        "outputs" => {
            let words = words(cursor, name)?;
            request.scalars.set_outputs(&words)?;
        }
        "validate" => {
            let on = cursor.peek() == Some(b't') && cursor.take_word("true");
            if !on && !cursor.take_word("false") {
                return Err(wrong_type(name, "true or false", &pointer, cursor));
            }
            request.scalars.set_validate(on)?;
        }
        "groups" | "ids" => {
            let length = keys(cursor, name)?;
            request.beside_rows.push((canonical(name), length));
        }
        "labels" => {
            if cursor.peek() != Some(b'{') {
                return Err(wrong_type(name, "an object of strings", &pointer, cursor));
            }
            object(cursor, |cursor, label| {
                key(cursor, "a label", &format!("/labels/{}", token(&label)))
            })?;
        }
        "reduction" | "dtype" | "on_empty" | "profile" => {
            let name = canonical(name);
            if cursor.peek() != Some(b'"') {
                return Err(wrong_type(name, "a string", &pointer, cursor));
            }
            let word = cursor.string()?;
            request.scalars.set_word(card, name, &word)?;
            let dtype = request.scalars.dtype();
            if dtype.name() != T::DTYPE {
                return Ok(Some(dtype));
            }
        }
        _ => return Err(unknown_member(card, name)),
    }
    Ok(None)
}

/// A parameter: a number, an array of numbers, a word, a truth value or null.
fn parameter(
    cursor: &mut Cursor<'_>,
    scanner: &mut Scanner,
    pointer: &str,
    overflow: &mut Option<Problem>,
) -> Result<Given, Problem> {
    Ok(match cursor.peek() {
        Some(b'"') => {
            let word = cursor.string()?;
            match word.as_ref() {
                "NaN" => Given::Number(f64::NAN),
                "Infinity" => Given::Number(f64::INFINITY),
                "-Infinity" => Given::Number(f64::NEG_INFINITY),
                _ => Given::Word(word.into_owned()),
            }
        }
        Some(b't') if cursor.take_word("true") => Given::Flag(true),
        Some(b'f') if cursor.take_word("false") => Given::Flag(false),
        Some(b'n') if cursor.take_word("null") => Given::Off,
        Some(b'{') => {
            return Err(wrong_type(
                "a parameter",
                "a number, a list, a word or a truth value",
                pointer,
                cursor,
            ));
        }
        _ => {
            let tensor = tensor::read::<f64>(cursor, scanner, None, pointer, false, overflow)?;
            match (tensor.shape.as_slice(), tensor.values.as_slice()) {
                ([], &[number]) => Given::Number(number),
                _ => Given::Numbers(tensor),
            }
        }
    })
}

/// A member's name as a constant.
fn canonical(name: &str) -> &'static str {
    MEMBERS.into_iter().find(|member| *member == name).unwrap_or_default()
}

/// A list of strings and whole numbers; gives its length.
fn keys(cursor: &mut Cursor<'_>, name: &str) -> Result<usize, Problem> {
    let pointer = format!("/{name}");
    if cursor.peek() != Some(b'[') {
        return Err(wrong_type(name, "a list of strings or whole numbers", &pointer, cursor));
    }
    cursor.step();
    let mut length = 0;
    if cursor.take(b']') {
        return Ok(length);
    }
    loop {
        key(cursor, name, &format!("{pointer}/{length}"))?;
        length += 1;
        if !cursor.take(b',') {
            cursor.expect(b']', "or `,` in a list")?;
            return Ok(length);
        }
    }
}

/// A string or a whole number.
fn key(cursor: &mut Cursor<'_>, name: &str, pointer: &str) -> Result<(), Problem> {
    if cursor.peek() == Some(b'"') {
        return cursor.string().map(|_| ());
    }
    match Literal::read(cursor.rest()) {
        Some(literal) if !literal.text.iter().any(|byte| matches!(byte, b'.' | b'e' | b'E')) => {
            cursor.advance(literal.text.len());
            Ok(())
        }
        _ => Err(wrong_type(name, "a string or a whole number", pointer, cursor)),
    }
}

/// A list of words, or one word.
fn words(cursor: &mut Cursor<'_>, name: &str) -> Result<Vec<String>, Problem> {
    let pointer = format!("/{name}");
    if cursor.peek() == Some(b'"') {
        return Ok(vec![cursor.string()?.into_owned()]);
    }
    let mut words = Vec::new();
    if !cursor.take(b'[') {
        return Err(wrong_type(name, "a list of words", &pointer, cursor));
    }
    if cursor.take(b']') {
        return Ok(words);
    }
    loop {
        if cursor.peek() != Some(b'"') {
            let pointer = format!("{pointer}/{}", words.len());
            return Err(wrong_type(name, "a list of words", &pointer, cursor));
        }
        words.push(cursor.string()?.into_owned());
        if !cursor.take(b',') {
            cursor.expect(b']', "or `,` in a list")?;
            return Ok(words);
        }
    }
}

fn wrong_type(name: &str, expected: &str, pointer: &str, cursor: &mut Cursor<'_>) -> Problem {
    let is_value = match cursor.peek() {
        Some(b'"' | b'{' | b'[' | b'-' | b'0'..=b'9') => true,
        _ => ["true", "false", "null", "NaN", "Infinity"].iter().any(|word| cursor.take_word(word)),
    };
    if !is_value {
        return cursor.malformed("expected a value");
    }
    Problem::new(Code::WrongType, format!("{name} must be {expected}")).pointer(pointer)
}

/// A name from outside as a token of a JSON pointer (RFC 6901): not too long.
pub fn token(name: &str) -> String {
    shown(name).replace('~', "~0").replace('/', "~1")
}

/// A name from outside as it may stand in a message: not too long.
pub fn shown(name: &str) -> String {
    let mut shown: String = name.chars().take(40).collect();
    if shown.len() < name.len() {
        shown.push('…');
    }
    shown
}

fn unknown_member(card: &Card, name: &str) -> Problem {
    let detail = format!("a request for {} has no member `{}`", card.name, shown(name));
    let problem = Problem::new(Code::UnknownMember, detail).pointer(&format!("/{}", token(name)));
    if card.param(name).is_some() {
        return problem
            .hint(format!("`{name}` is a parameter: send \"params\": {{\"{name}\": …}}"));
    }
    let inputs: Vec<&str> = card.inputs.iter().map(|input| input.name).collect();
    let known: Vec<&str> = inputs.iter().copied().chain(MEMBERS).collect();
    match nearest(name, &known) {
        Some(near) => problem.hint(format!("did you mean `{near}`?")),
        None => problem.hint(format!(
            "its inputs are {}; the other members are {}",
            inputs.join(", "),
            MEMBERS.join(", ")
        )),
    }
}

/// The known name that is nearest, if any is near.
pub fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let name: String = name.chars().take(64).collect::<String>().to_ascii_lowercase();
    let near = known.iter().map(|&known| (edit_distance(&name, known), known)).min()?;
    (near.0 <= 1 + near.1.len() / 3).then_some(near.1)
}
