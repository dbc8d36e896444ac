//! A bare echo on axum: reads the whole body and writes it back. It is the limit for any server of
//! this kind: `echo ADDRESS`.

use std::error::Error;

use axum::Router;
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::serve::ListenerExt;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).ok_or("usage: echo ADDRESS")?;
    let listener = TcpListener::bind(address).await?.tap_io(|stream| {
        // A connection that cannot be told so is slower, and still right.
        let _ = stream.set_nodelay(true);
    });
    let app = Router::new()
        .fallback(|body: Bytes| async move { body })
        .layer(DefaultBodyLimit::disable());
    axum::serve(listener, app).await?;
    Ok(())
}
