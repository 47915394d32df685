//! What a dashboard has around its panels: variables, links, the alerts as annotations, and a place for each panel.

use serde_json::{Value, json};

use super::panel::Panel;

/// Of Grafana 11; later ones bring it up to date as they load it.
const SCHEMA: u64 = 39;
const WIDTH: u64 = 24;

/// A dashboard while it is put together.
pub(super) struct Dashboard {
    uid: &'static str,
    title: &'static str,
    description: &'static str,
    links: Vec<Value>,
    panels: Vec<Value>,
    /// The first free row of the grid.
    next_y: u64,
}

impl Dashboard {
    pub(super) fn new(uid: &'static str, title: &'static str, description: &'static str) -> Self {
        Self {
            uid,
            title,
            description,
            links: Vec::new(),
            panels: Vec::new(),
            next_y: 0,
        }
    }

    /// A link at the top that takes the time range and the variables along.
    pub(super) fn link(mut self, title: &str, tooltip: &str, uid: &str) -> Self {
        self.links.push(json!({
            "asDropdown": false,
            "icon": "dashboard",
            "includeVars": true,
            "keepTime": true,
            "tags": [],
            "targetBlank": false,
            "title": title,
            "tooltip": tooltip,
            "type": "link",
            "url": format!("/d/{uid}"),
        }));
        self
    }

    /// Panels side by side, under no heading.
    pub(super) fn top(mut self, panels: impl IntoIterator<Item = Panel>) -> Self {
        let placed = self.place(panels);
        self.panels.extend(placed);
        self
    }

    /// Panels under a heading.
    pub(super) fn row(
        mut self,
        id: u64,
        title: &str,
        panels: impl IntoIterator<Item = Panel>,
    ) -> Self {
        self.heading(id, title, false);
        let placed = self.place(panels);
        self.panels.extend(placed);
        self
    }

    /// Panels that are asked for only once somebody opens their heading.
    pub(super) fn closed_row(
        mut self,
        id: u64,
        title: &str,
        panels: impl IntoIterator<Item = Panel>,
    ) -> Self {
        self.heading(id, title, true);
        // A closed row takes one line of the grid; what is in it is placed as if it were open.
        let below = self.next_y;
        let placed = self.place(panels);
        self.next_y = below;
        self.panels.last_mut().unwrap()["panels"] = json!(placed);
        self
    }

    fn heading(&mut self, id: u64, title: &str, collapsed: bool) {
        self.panels.push(json!({
            "id": id,
            "type": "row",
            "title": title,
            "collapsed": collapsed,
            "gridPos": { "h": 1, "w": WIDTH, "x": 0, "y": self.next_y },
            "panels": [],
        }));
        self.next_y += 1;
    }

    /// From left to right, and into the next line where there is no room.
    fn place(&mut self, panels: impl IntoIterator<Item = Panel>) -> Vec<Value> {
        let (mut x, mut height) = (0, 0);
        let mut placed = Vec::new();
        for panel in panels {
            if x + panel.width > WIDTH {
                self.next_y += height;
                (x, height) = (0, 0);
            }
            let mut json = panel.json;
            json["gridPos"] =
                json!({ "h": panel.height, "w": panel.width, "x": x, "y": self.next_y });
            x += panel.width;
            height = height.max(panel.height);
            placed.push(json);
        }
        self.next_y += height;
        placed
    }

    pub(super) fn json(self) -> Value {
        json!({
            "annotations": { "list": [built_in_annotations(), alerts()] },
            "description": self.description,
            "editable": true,
            "fiscalYearStartMonth": 0,
            // One crosshair and one tooltip through all panels: what happened at the same time?
            "graphTooltip": 1,
            "id": null,
            "links": self.links,
            "panels": self.panels,
            "refresh": "30s",
            "schemaVersion": SCHEMA,
            "tags": ["escalator"],
            "templating": { "list": variables() },
            "time": { "from": "now-3h", "to": "now" },
            "timepicker": {},
            "timezone": "browser",
            "title": self.title,
            "uid": self.uid,
            "version": 1,
            "weekStart": "",
        })
    }
}

fn built_in_annotations() -> Value {
    json!({
        "builtIn": 1,
        "datasource": { "type": "grafana", "uid": "-- Grafana --" },
        "enable": true,
        "hide": true,
        "iconColor": "rgba(0, 211, 255, 1)",
        "name": "Annotations & Alerts",
        "type": "dashboard",
    })
}

/// On every panel with a time axis: when which alert fired.
fn alerts() -> Value {
    json!({
        "datasource": { "type": "prometheus", "uid": "${datasource}" },
        "enable": true,
        "iconColor": "red",
        "name": "Alerts",
        "tagKeys": "severity",
        "target": {
            "expr": "max by (alertname, severity) (ALERTS{alertname=~\"Escalator.*\", alertstate=\"firing\"})",
            "interval": "",
            "refId": "Anno",
        },
        "textFormat": "{{severity}}",
        "titleFormat": "{{alertname}}",
    })
}

fn variables() -> Value {
    let all = || json!({ "selected": true, "text": ["All"], "value": ["$__all"] });
    let lane = |text: &str, value: &str, selected: bool| json!({ "selected": selected, "text": text, "value": value });
    json!([
        {
            "current": {},
            "description": "The Prometheus that scrapes escalator.",
            "hide": 0,
            "includeAll": false,
            "label": "Prometheus",
            "multi": false,
            "name": "datasource",
            "options": [],
            "query": "prometheus",
            "refresh": 1,
            "regex": "",
            "skipUrlSync": false,
            "type": "datasource",
        },
        {
            "allValue": ".*",
            "current": all(),
            "datasource": { "type": "prometheus", "uid": "${datasource}" },
            "definition": "label_values(escalator_build_info, instance)",
            "description": "Processes. What comes from the ledger or the broker is everybody's, and does not follow this choice.",
            "hide": 0,
            "includeAll": true,
            "label": "Instance",
            "multi": true,
            "name": "instance",
            "options": [],
            "query": { "qryType": 1, "query": "label_values(escalator_build_info, instance)", "refId": "instance" },
            "refresh": 2,
            "regex": "",
            "skipUrlSync": false,
            "sort": 1,
            "type": "query",
        },
        {
            "allValue": ".*",
            "current": all(),
            "description": "The urgent lane, the other one, or both.",
            "hide": 0,
            "includeAll": true,
            "label": "Lane",
            "multi": true,
            "name": "lane",
            "options": [lane("All", "$__all", true), lane("high", "high", false), lane("normal", "normal", false)],
            "query": "high,normal",
            "skipUrlSync": false,
            "type": "custom",
        },
    ])
}
