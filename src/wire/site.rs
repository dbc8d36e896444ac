//! The server as one service. Every request is observed, and whatever panics has an answer.
//! Evaluations, which are by far the most, go straight to work; all else goes through the router.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use pin_project_lite::pin_project;
use tower::ServiceExt;

use super::access::{Peer, authenticate};
use super::evaluate::evaluate;
use super::observe::{observe, panicked};
use super::problem::Problem;
use super::{App, NO_ROUTE, method_not_allowed, not_found, operations_routes, routes};
use crate::numeric::catalogue;
use crate::numeric::loss::Loss;
use crate::service::keys::Key;
use crate::service::keys::file::Scope;
use crate::service::metrics::EVALUATION;

/// What answers the requests of a port.
#[derive(Clone)]
pub struct Site {
    app: App,
    routes: Router,
    /// Whether losses are evaluated here.
    evaluates: bool,
}

impl Site {
    /// All that users ask for.
    pub fn new(app: App) -> Site {
        Site { evaluates: true, ..Site::around(routes(&app), app) }
    }

    /// What operators ask for, for a port of its own.
    pub fn operations(app: App) -> Site {
        Site::around(operations_routes(&app), app)
    }

    /// A site with these routes and nothing else.
    pub fn around(routes: Router<App>, app: App) -> Site {
        let routes = routes
            .fallback(not_found)
            .method_not_allowed_fallback(method_not_allowed)
            .layer(from_fn_with_state(app.clone(), observed))
            .with_state(app.clone());
        Site { app, routes, evaluates: false }
    }

    /// What handlers share.
    pub fn app(&self) -> &App {
        &self.app
    }

    /// Answers a request that came from this peer, if it came from one. A problem among its
    /// extensions is the answer.
    pub async fn answer(&self, peer: Option<Peer>, request: Request) -> Response {
        if self.evaluates
            && let Some(loss) = evaluated(&request)
        {
            let respond = |request| Caught { respond: self.evaluate(loss, peer, request) };
            return observe(&self.app, peer, EVALUATION, request, respond).await;
        }
        let mut request = request;
        if let Some(peer) = peer {
            request.extensions_mut().insert(peer);
        }
        self.routes.clone().oneshot(request).await.into_response()
    }

    async fn evaluate(
        &self,
        loss: &'static Loss,
        peer: Option<Peer>,
        request: Request,
    ) -> Response {
        let key = match &self.app.keys {
            None => None,
            Some(keys) => match authenticate(keys, Scope::Evaluate, peer, request.headers()) {
                Ok(key) => Some(key),
                Err(problem) => return problem.into_response(),
            },
        };
        let answered = evaluate(self.app.clone(), loss, key.clone(), request).await;
        with_key(answered.into_response(), key)
    }
}

/// The loss that a request wants evaluated, if its path is spelled plainly.
fn evaluated(request: &Request) -> Option<&'static Loss> {
    if request.extensions().get::<Problem>().is_some() {
        return None;
    }
    let path = request.uri().path();
    let name = path.strip_prefix("/v1").unwrap_or(path).strip_prefix("/loss/")?;
    (request.method() == Method::POST).then(|| catalogue::find(name))?
}

/// An answer among whose extensions is the key that it is for.
pub fn with_key(mut response: Response, key: Option<Arc<Key>>) -> Response {
    if let Some(key) = key {
        response.extensions_mut().insert(key);
    }
    response
}

/// Observes a request that goes through the router.
async fn observed(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get().copied();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or(NO_ROUTE, MatchedPath::as_str);
    let route = route.strip_prefix("/v1").unwrap_or(route);
    let problem = request.extensions_mut().remove::<Problem>();
    let respond = async |request| match problem {
        Some(problem) => problem.into_response(),
        None => Caught { respond: next.run(request) }.await,
    };
    observe(&app, peer, route, request, respond).await
}

pin_project! {
    /// What a future answers, also if it panics.
    struct Caught<F> {
        #[pin]
        respond: F,
    }
}

impl<F: Future<Output = Response>> Future for Caught<F> {
    type Output = Response;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Response> {
        // After a panic it is not polled again, only dropped.
        let polled = catch_unwind(AssertUnwindSafe(|| self.project().respond.poll(context)));
        polled.unwrap_or_else(|panic| Poll::Ready(panicked(&*panic)))
    }
}
