#![allow(
    unused_imports,
    reason = "where this is a part of tests/endurance there is no harness, and the tests in it vanish"
)]

use std::collections::BTreeMap;
use std::path::Path;

use axum::Router;
use axum::extract::{Query, State};
use axum::routing::get;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::answer::Series;
use super::scale::{Scale, moments, written};
use super::{chart, draw};

const FROM: i64 = 1_796_100_000;
const TO: i64 = FROM + 1600;

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn overview() -> Value {
    serde_json::from_str(&read("deploy/grafana/dashboards/overview.json")).unwrap()
}

/// A part of a query, and the lines with which it is answered: labels, and a value for each step.
type Canned = Vec<(&'static str, Vec<(Value, fn(i64) -> f64)>)>;

/// A Prometheus that answers the first of these whose part is in the query, and with nothing where there is none.
async fn prometheus(canned: Canned) -> String {
    async fn answer(
        State(canned): State<std::sync::Arc<Canned>>,
        Query(asked): Query<BTreeMap<String, String>>,
    ) -> axum::Json<Value> {
        let number = |name: &str| asked[name].parse::<i64>().unwrap();
        let (start, end, step) = (number("start"), number("end"), number("step"));
        let lines = canned
            .iter()
            .find(|(part, _)| asked["query"].contains(part));
        let result: Vec<_> = lines
            .into_iter()
            .flat_map(|(_, lines)| lines)
            .map(|(labels, value)| {
                let moments = (0..).map(|n| start + n * step).take_while(|at| *at <= end);
                let values: Vec<_> = moments
                    .map(|at| json!([at, value(at - start).to_string()]))
                    .collect();
                json!({ "metric": labels, "values": values })
            })
            .collect();
        axum::Json(
            json!({ "status": "success", "data": { "resultType": "matrix", "result": result } }),
        )
    }
    let app = Router::new()
        .route("/api/v1/query_range", get(answer))
        .with_state(std::sync::Arc::new(canned));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    base
}

async fn drawn(canned: Canned) -> String {
    let base = prometheus(canned).await;
    let at = |second| Timestamp::from_second(second).unwrap();
    let svg = draw(&base, at(FROM), at(TO), &overview()).await;
    stays_on_its_page(&svg);
    svg
}

/// Well-formed as far as this can be told without a parser, with numbers everywhere, and nothing beside the page.
fn stays_on_its_page(svg: &str) {
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    let view = svg.split("viewBox=\"0 0 1000 ").nth(1).unwrap();
    let height: f64 = view.split('"').next().unwrap().parse().unwrap();
    for (side, most) in [
        (" x=\"", 1000.0),
        (" x2=\"", 1000.0),
        (" y=\"", height),
        (" y2=\"", height),
    ] {
        for rest in svg.split(side).skip(1) {
            let value: f64 = rest.split('"').next().unwrap().parse().unwrap();
            assert!((0.0..=most).contains(&value), "{side}{value}");
        }
    }
    assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
}

#[tokio::test]
async fn a_dashboard_is_drawn_with_what_prometheus_answers() {
    let svg = drawn(vec![
        (
            "escalator_vendor_shut{vendor=\"genesys\"",
            vec![(json!({}), |_| 1.0)],
        ),
        (
            "escalator_vendor_shut{vendor=\"pagerduty\"",
            vec![(json!({}), |_| 0.0)],
        ),
        (
            "max by (alertname, severity)",
            vec![(
                json!({ "alertname": "EscalatorVendorDown", "severity": "page" }),
                |t| {
                    if (300..700).contains(&t) {
                        1.0
                    } else {
                        f64::NAN
                    }
                },
            )],
        ),
        ("count(max by (alertname)", vec![(json!({}), |_| 1.0)]),
        (
            "max(escalator_oldest_open_seconds",
            vec![(json!({}), |t| f64::from(t as i32) / 10.0)],
        ),
        (
            "histogram_quantile(0.95, sum by (le) (rate(escalator_accepted_to_note",
            vec![(json!({}), |_| 2.5)],
        ),
        (
            "sum by (le) (increase(escalator_accepted_to_note",
            vec![
                (json!({ "le": "+Inf" }), |_| 9.0),
                (json!({ "le": "0.5" }), |_| 2.0),
                (json!({ "le": "15.0" }), |_| 7.0),
                (json!({ "le": "60.0" }), |_| 9.0),
            ],
        ),
        (
            "escalator_attempts_total",
            vec![
                (json!({ "outcome": "done" }), |_| 60.0),
                (json!({ "outcome": "<odd> & \"quoted\"" }), |_| 3.0),
            ],
        ),
    ])
    .await;
    for there in [
        ">Escalator: overview<",
        ">Alerts<",
        ">EscalatorVendorDown<",
        // The tile of a number, with its unit.
        ">Oldest open<",
        ">2.67 min<",
        // Numbers that are words.
        ">shut<",
        ">answers<",
        // Titles, legends and axes.
        ">From webhook to note<",
        ">p95<",
        ">15 s<",
        ">500 ms<",
        ">60 s<",
        ">done<",
        ">&lt;odd&gt; &amp; &quot;quoted&quot;<",
        // What has no answer says so in the panel's own words.
        ">nothing waits<",
        ">ledger away<",
    ] {
        assert!(svg.contains(there), "{there}: {svg}");
    }
}

#[tokio::test]
async fn a_prometheus_that_knows_nothing_gives_a_picture_that_says_so() {
    let svg = drawn(Vec::new()).await;
    for there in [
        ">no notes in this time<",
        ">nothing died in this time<",
        ">no data<",
    ] {
        assert!(svg.contains(there), "{there}: {svg}");
    }
    assert!(!svg.contains(">Alerts<"), "there are none");
}

#[test]
fn a_gap_stays_a_gap() {
    let points = [(0.0, 1.0), (5.0, 1.0), (30.0, 1.0)];
    let pieces = chart::pieces(&points, 5.0);
    assert_eq!(pieces, [&points[..2], &points[2..]]);
    let series = Series {
        name: String::new(),
        labels: json!({}),
        points: points.to_vec(),
    };
    assert!((chart::step_of(&[series]) - 5.0).abs() < 1e-9);
}

#[test]
fn axes_end_at_round_numbers() {
    for (highest, max, step) in [
        (0.0, 1.0, 0.25),
        (7.0, 8.0, 2.0),
        (16.0, 20.0, 5.0),
        (93.0, 100.0, 25.0),
    ] {
        let scale = Scale::up_to(highest, None);
        assert!((scale.max - max).abs() < 1e-9, "{highest}: {scale:?}");
        assert!((scale.step - step).abs() < 1e-9, "{highest}: {scale:?}");
    }
    assert_eq!(Scale::up_to(7.0, None).ticks().count(), 5);
    assert!(Scale::up_to(1.2, Some(1.0)).max <= 1.0);
}

#[test]
fn numbers_have_their_unit() {
    for (value, unit, decimals, text) in [
        (0.0, "s", None, "0 s"),
        (0.25, "s", None, "250 ms"),
        (15.0, "s", None, "15 s"),
        (300.0, "s", None, "5 min"),
        (0.9973, "percentunit", Some(2), "99.73 %"),
        (-0.4, "percentunit", Some(0), "-40 %"),
        (1536.0, "bytes", None, "1.5 KiB"),
        (4.0, "short", None, "4"),
        (-0.001, "short", Some(0), "0"),
        (1234.5, "short", None, "1234"),
    ] {
        assert_eq!(written(value, unit, decimals), text, "{value} {unit}");
    }
}

#[test]
fn moments_are_round() {
    assert_eq!(moments(1000, 2200), [1200, 1500, 1800, 2100]);
}
