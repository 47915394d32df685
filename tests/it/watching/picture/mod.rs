//! A picture of the overview, for those who have no Grafana at hand: an SVG of a real run, from a real Prometheus.
//!
//! It takes the dashboard's own panels, queries, units, colours and thresholds, and what Prometheus answers; nothing is made up
//! here but the layout. Also a part of `tests/endurance`, so it names nothing of its neighbours.

mod answer;
mod chart;
mod frame;
mod heat;
mod look;
mod scale;
#[cfg(test)]
mod tests;

use jiff::Timestamp;
use serde_json::Value;

use answer::Prometheus;

/// The panels of the overview that are drawn below its status rows, two in a line.
pub(crate) const SHOWN: [u64; 8] = [20, 21, 31, 32, 40, 51, 23, 60];

/// Draws the overview as it was between two moments, the second of which is what its numbers show.
///
/// `dashboard` is the JSON of `deploy/grafana/dashboards/overview.json`.
///
/// # Panics
/// If Prometheus does not answer, or refuses a query.
pub(crate) async fn draw(
    prometheus: &str,
    from: Timestamp,
    to: Timestamp,
    dashboard: &Value,
) -> String {
    let prometheus = Prometheus::new(prometheus, from, to);
    let mut frame = frame::Frame::new(dashboard["title"].as_str().unwrap(), from, to);
    let panels = dashboard["panels"].as_array().unwrap();
    for panel in panels.iter().take_while(|panel| panel["type"] != "row") {
        let series = prometheus.answers(panel).await;
        frame.tile(panel, &series);
    }
    for alerts in dashboard["annotations"]["list"].as_array().unwrap() {
        if let Some(query) = alerts["target"]["expr"].as_str() {
            let legend = alerts["titleFormat"].as_str().unwrap();
            frame.alerts(&prometheus.answer(query, legend).await);
        }
    }
    for id in SHOWN {
        let panel = panels
            .iter()
            .find(|panel| panel["id"] == id)
            .unwrap_or_else(|| panic!("the dashboard has no panel {id}"));
        let series = prometheus.answers(panel).await;
        frame.panel(panel, &series);
    }
    frame.svg()
}
