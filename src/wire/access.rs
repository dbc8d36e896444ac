//! Who is served: the API key of a request, checked before a byte of its body is read.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use axum::routing::MethodRouter;

use super::App;
use super::problem::Problem;
use super::site::with_key;
use crate::service::keys::file::Scope;
use crate::service::keys::{Key, KeyStore};

/// Where a request comes from. Handlers find it among the request's extensions.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub IpAddr);

/// A route that asks for a key with this scope, if the server has keys.
pub fn guarded(route: MethodRouter<App>, scope: Scope, app: &App) -> MethodRouter<App> {
    match &app.keys {
        Some(keys) => route.route_layer(from_fn_with_state((keys.clone(), scope), guard)),
        None => route,
    }
}

/// Admits a request whose key has the scope. The key is among the extensions of request and answer.
async fn guard(
    State((keys, scope)): State<(Arc<KeyStore>, Scope)>,
    mut request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let peer = request.extensions().get().copied();
    let key = authenticate(&keys, scope, peer, request.headers())?;
    request.extensions_mut().insert(key.clone());
    Ok(with_key(next.run(request).await, Some(key)))
}

/// The key of a request, if it has the scope.
///
/// # Errors
/// That there is none, or not that scope, or too many wrong ones came from there.
pub fn authenticate(
    keys: &KeyStore,
    scope: Scope,
    peer: Option<Peer>,
    headers: &HeaderMap,
) -> Result<Arc<Key>, Problem> {
    let address = peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0);
    Ok(keys.authenticate(presented(headers), scope, address, Instant::now())?)
}

/// The key in a request's head: empty where something else stands in its place, none if nothing
/// does.
fn presented(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next()?;
    if values.next().is_some() {
        return Some("");
    }
    let words = value.to_str().ok().and_then(|text| text.split_once(' '));
    let bearer = words.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    Some(bearer.map_or("", |(_, key)| key.trim()))
}
