//! The other routes: catalogue, documents, health, version.

use axum::body::Body;
use axum::http::Request;
use lossd::numeric::catalogue::{self, FAMILIES};
use lossd::wire::ROUTES;
use serde_json::{Value, json};

use crate::harness::{Server, difference};

#[test]
fn the_catalogue_lists_every_loss_and_can_be_filtered() {
    let server = Server::new();
    let all = server.get("/loss").json();
    assert_eq!(all["count"], json!(catalogue::all().count()));
    let names = |path: &str| -> Vec<String> {
        let answer = server.get(path).json();
        let losses = answer["losses"].as_array().unwrap();
        losses.iter().map(|card| card["name"].as_str().unwrap().to_owned()).collect()
    };
    for family in FAMILIES {
        let expected: Vec<&str> = family.losses().map(|loss| loss.card.name).collect();
        assert_eq!(names(&format!("/loss?family={}", family.name)), expected);
    }
    assert_eq!(names("/loss?search=pinball"), ["quantile", "crps_quantile"]);
    assert!(names("/loss?search=zzz").is_empty());
    assert!(names("/loss?task=survival").contains(&"cox_ph".to_owned()));
    assert!(names("/loss?activation=log-softmax").contains(&"nll".to_owned()));
    assert!(!names("/loss?activation=logits").contains(&"nll".to_owned()));
    assert_eq!(names("/loss?domain=-1+or+1&family=embedding&task=embedding"), ["cosine_embedding"]);
    assert_eq!(names("/loss?profile=sklearn"), ["binary_cross_entropy"]);
    for wrong in ["family=nothing", "task=cooking", "activation=relu", "profile=jax"] {
        let answer = server.get(&format!("/loss?{wrong}"));
        assert_eq!(answer.status(), 400, "{wrong}");
        assert!(answer.json()["detail"].as_str().unwrap().contains("must be one of"), "{wrong}");
    }
    assert_eq!(server.get("/loss?family=nothing").status(), 400);
    assert_eq!(server.get("/loss?colour=red").status(), 400);
}

#[test]
fn a_question_is_answered_with_a_ranked_short_list() {
    let server = Server::new();
    let answer = server.get("/loss?for=regression+with+outliers").json();
    assert_eq!(answer["understood"]["tasks"], json!(["regression"]));
    assert_eq!(answer["understood"]["outliers"], json!(true));
    let losses = answer["losses"].as_array().unwrap();
    assert!(3 <= losses.len() && losses.len() <= 5);
    assert_eq!((&losses[0]["name"], &losses[0]["rank"]), (&json!("huber"), &json!(1)));
    for entry in losses {
        assert!(entry["why"].as_str().unwrap().ends_with('.'));
        assert_eq!(server.get(entry["card"].as_str().unwrap()).status(), 200);
    }
    let request =
        Request::get("/loss?for=rare+positives,+binary,+logits").header("accept", "text/plain");
    let answer = server.send(request.body(Body::empty()).unwrap());
    assert!(answer.text().starts_with("sigmoid_focal\n    "), "{}", answer.text());
    for useless in ["/loss?for=", "/loss?for=flugelhorn", "/loss?for=ranking&family=boxes"] {
        let answer = server.get(useless);
        assert_eq!(answer.status(), 400, "{useless}");
        assert!(answer.json()["hint"].is_string(), "{useless}");
    }
}

#[test]
fn second_derivatives_are_there_where_a_loss_has_them() {
    let server = Server::new();
    for loss in catalogue::all() {
        let card = &loss.card;
        let path = format!("/loss/{}?outputs=hessian_diagonal", card.name);
        let answer = server.post(&path, card.example);
        let described = server.get(&format!("/loss/{}", card.name)).json();
        assert_eq!(described["has_hessian_diagonal"], json!(loss.has_hessian));
        if loss.has_hessian {
            let answer = answer.json();
            let names: Vec<&String> =
                answer["hessian_diagonal"].as_object().unwrap().keys().collect();
            let inputs = card.inputs.iter().filter(|input| input.differentiable);
            assert_eq!(names, inputs.map(|input| input.name).collect::<Vec<_>>(), "{}", card.name);
            assert!(answer.get("gradients").is_none());
        } else {
            assert_eq!(answer.status(), 422, "{}", card.name);
            assert_eq!(answer.json()["pointer"], json!("/outputs"));
        }
        let elementwise = card.is_elementwise() || card.name.ends_with("cross_entropy");
        assert!(elementwise || !loss.has_hessian, "{}", card.name);
        assert!(!card.is_elementwise() || loss.has_hessian, "{}", card.name);
    }
}

#[test]
fn a_profile_gives_way_to_what_the_request_says() {
    let server = Server::new();
    let body = r#"{"predictions":[0.5,-1.0,2.0],"targets":[1,0,1],"params":{"alpha":0.25},"profile":"keras"}"#;
    let plain = r#"{"predictions":[0.5,-1.0,2.0],"targets":[1,0,1]}"#;
    let loss =
        |body: &str| server.post("/loss/sigmoid_focal", body.to_owned()).json()["loss"].clone();
    assert_eq!(loss(body), loss(plain));
    let empty = |profile: &str| {
        server.post(
            "/loss/mse",
            format!(r#"{{"predictions":[],"targets":[],"profile":"{profile}"}}"#),
        )
    };
    assert_eq!(empty("torch").json()["loss"], json!("NaN"));
    assert_eq!(empty("keras").json()["loss"], json!(0.0));
    assert_eq!(empty("sklearn").status(), 422);
    assert_eq!(
        server
            .post(
                "/loss/mse?on_empty=zero",
                r#"{"predictions":[],"targets":[],"profile":"sklearn"}"#
            )
            .json()["loss"],
        json!(0.0)
    );
}

#[test]
fn the_catalogue_is_a_table_for_people() {
    let request = Request::get("/loss").header("accept", "text/plain").body(Body::empty()).unwrap();
    let answer = Server::new().send(request);
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    assert_eq!(answer.text().lines().count(), catalogue::all().count());
}

#[test]
fn a_card_answers_its_own_example() {
    let server = Server::new();
    for loss in catalogue::all() {
        let card = server.get(&format!("/loss/{}", loss.card.name)).json();
        let request = card["example"]["request"].to_string();
        let answer = server.post(&format!("/loss/{}", loss.card.name), request).json();
        assert_eq!(card["example"]["answer"], answer, "{}", loss.card.name);
        assert!(card["example"]["curl"].as_str().unwrap().starts_with("curl http://"));
        for member in ["title", "summary", "formula", "use_case", "output_activation", "source"] {
            assert!(card[member].as_str().is_some_and(|text| !text.is_empty()), "{member}");
        }
    }
    assert_eq!(server.get("/v1/loss/mae").json()["name"], json!("l1"));
    assert_eq!(server.get("/loss/nothing").status(), 404);
}

/// Every `$ref` in a document.
fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                match (name.as_str(), value) {
                    ("$ref", Value::String(target)) => found.push(target.clone()),
                    _ => references(value, found),
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                references(item, found);
            }
        }
        _ => {}
    }
}

#[test]
fn the_openapi_document_has_every_route_and_loss() {
    let server = Server::new();
    let document = server.get("/openapi.json").json();
    assert_eq!(document["openapi"], json!("3.1.0"));
    for route in &ROUTES {
        let operation = &document["paths"][route.path][route.method.to_lowercase()];
        let is_guarded = route.statuses.contains(&401);
        assert_eq!(operation["security"].is_array(), is_guarded, "{}", route.path);
        for status in route.statuses {
            let response = &operation["responses"][status.to_string()];
            assert!(response.is_object(), "{} {} {status}", route.method, route.path);
        }
    }
    for loss in catalogue::all() {
        let operation = &document["paths"][format!("/loss/{}", loss.card.name)]["post"];
        let body = &operation["requestBody"]["content"]["application/json"];
        let properties = &body["schema"]["properties"];
        for name in loss.card.inputs.iter().map(|input| input.name) {
            assert!(properties[name].is_object(), "{}: {name}", loss.card.name);
        }
        for name in loss.card.params.iter().map(|param| param.name) {
            let param = &properties["params"]["properties"][name];
            assert!(param.is_object(), "{}: {name}", loss.card.name);
        }
        let path = format!("/loss/{}", loss.card.name);
        assert_eq!(server.post(&path, body["example"].to_string()).status(), 200, "{path}");
    }
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(!found.is_empty());
    for target in found {
        let pointer = target.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{target} leads nowhere");
    }
}

#[test]
fn the_page_needs_nothing_from_elsewhere() {
    let answer = Server::new().get("/docs");
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"));
    let page = answer.text();
    for loss in catalogue::all() {
        assert!(page.contains(&format!("<section id=\"{}\">", loss.card.name)));
    }
    for outside in ["src=\"http", "href=\"http", "url(", "@import", "<script"] {
        assert!(!page.contains(outside), "the page asks for {outside}");
    }
}

#[test]
fn the_start_page_has_lines_to_paste() {
    let request = Request::get("/").header("host", "example.test:81").body(Body::empty()).unwrap();
    let answer = Server::new().send(request);
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
    assert!(answer.text().contains("curl example.test:81/loss/mse -d '{"));
    let hostile = Request::get("/").header("host", "a;rm -rf").body(Body::empty()).unwrap();
    assert!(!Server::new().send(hostile).text().contains("rm -rf"));
}

#[test]
fn health_readiness_and_version() {
    let server = Server::new();
    assert_eq!(server.get("/healthz").text(), "ok\n");
    assert_eq!(server.get("/readyz").status(), 200);
    let version = server.get("/version").json();
    assert_eq!(version["name"], json!("lossd"));
    assert_eq!(version["version"], json!(env!("CARGO_PKG_VERSION")));
    assert_eq!(version["simd"], json!(server.service.level.name()));
    assert!(version["revision"].as_str().is_some_and(|revision| !revision.is_empty()));
    server.service.drain();
    let draining = server.get("/readyz");
    assert_eq!((draining.status().as_u16(), draining.header("retry-after")), (503, Some("1")));
    assert_eq!(server.get("/healthz").status(), 200);
}

#[test]
fn every_level_answers_over_http() {
    use lossd::config::Given;
    use lossd::numeric::simd::Level;
    let body = r#"{"predictions": [[0.3, -1.2, 2.0], [1.5, 0.1, -0.4]], "targets": [2, 0]}"#;
    let expected = Server::new().post("/loss/cross_entropy", body).json();
    for level in Level::available() {
        let given = Given { simd: Some(level.name().to_owned()), ..Given::default() };
        let server = Server::with(given);
        assert_eq!(server.get("/version").json()["simd"], json!(level.name()));
        let got = server.post("/loss/cross_entropy", body).json();
        assert_eq!(difference(&got["loss"], &expected["loss"], 1e-6), None, "{level:?}");
    }
}
