//! A panel, in the words of Grafana's schema 39 (Grafana 11 and 12). What Grafana fills in by itself is left out.

use serde_json::{Value, json};

/// What a panel shows by default when its query has no answer.
const NOTHING: &str = "no data";

/// One panel. Its place is its dashboard's to give.
#[derive(Debug, Clone)]
pub(super) struct Panel {
    pub(super) width: u64,
    pub(super) height: u64,
    pub(super) json: Value,
}

/// Lines over time.
pub(super) fn series(id: u64, title: &str, description: &str) -> Panel {
    let mut panel = Panel::new("timeseries", id, title, description);
    panel.json["fieldConfig"]["defaults"]["custom"] = json!({
        "drawStyle": "line",
        "lineWidth": 1,
        "fillOpacity": 8,
        "showPoints": "never",
        "spanNulls": false,
        "stacking": { "group": "A", "mode": "none" },
        "thresholdsStyle": { "mode": "off" },
    });
    panel.json["fieldConfig"]["defaults"]["color"] = json!({ "mode": "palette-classic" });
    panel.json["options"] = json!({
        "legend": {
            "calcs": ["lastNotNull", "max"], "displayMode": "table", "placement": "bottom", "showLegend": true,
            "sortBy": "Max", "sortDesc": true,
        },
        "tooltip": { "mode": "multi", "sort": "desc" },
    });
    panel.sized(8, 8)
}

/// One number, or a few, with a line behind.
pub(super) fn stat(id: u64, title: &str, description: &str) -> Panel {
    let mut panel = Panel::new("stat", id, title, description);
    panel.json["fieldConfig"]["defaults"]["color"] = json!({ "mode": "thresholds" });
    panel.json["options"] = json!({
        "colorMode": "value",
        "graphMode": "none",
        "justifyMode": "auto",
        "orientation": "auto",
        "percentChangeColorMode": "standard",
        "reduceOptions": { "calcs": ["lastNotNull"], "fields": "", "values": false },
        "showPercentChange": false,
        "textMode": "auto",
        "wideLayout": true,
    });
    panel.sized(3, 4)
}

/// Bars, one for each series, the longest first.
pub(super) fn bars(id: u64, title: &str, description: &str) -> Panel {
    let mut panel = Panel::new("bargauge", id, title, description);
    panel.json["fieldConfig"]["defaults"]["color"] = json!({ "mode": "thresholds" });
    panel.json["options"] = json!({
        "displayMode": "basic",
        "legend": { "calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": false },
        "maxVizHeight": 40,
        "minVizHeight": 12,
        "minVizWidth": 8,
        "namePlacement": "left",
        "orientation": "horizontal",
        "reduceOptions": { "calcs": ["lastNotNull"], "fields": "", "values": false },
        "showUnfilled": true,
        "sizing": "auto",
        "valueMode": "color",
    });
    panel.sized(8, 8)
}

/// How many fell where, over time; for the buckets of a histogram.
pub(super) fn heatmap(id: u64, title: &str, description: &str) -> Panel {
    let mut panel = Panel::new("heatmap", id, title, description);
    panel.json["fieldConfig"]["defaults"]["custom"] = json!({
        "hideFrom": { "legend": false, "tooltip": false, "viz": false },
        "scaleDistribution": { "type": "linear" },
    });
    panel.json["options"] = json!({
        "calculate": false,
        "cellGap": 1,
        "cellValues": { "decimals": 0, "unit": "short" },
        "color": {
            "exponent": 0.5, "fill": "dark-orange", "mode": "scheme", "reverse": false, "scale": "exponential",
            "scheme": "Oranges", "steps": 64,
        },
        "exemplars": { "color": "rgba(255,0,255,0.7)" },
        // Empty cells stay empty.
        "filterValues": { "le": 1e-9 },
        "legend": { "show": true },
        "rowsFrame": { "layout": "auto" },
        "showValue": "never",
        "tooltip": { "mode": "single", "showColorScale": false, "yHistogram": false },
        "yAxis": { "axisPlacement": "left", "reverse": false },
    });
    panel.sized(8, 8)
}

/// Rows of labels with a number, as they are now.
pub(super) fn table(id: u64, title: &str, description: &str) -> Panel {
    let mut panel = Panel::new("table", id, title, description);
    panel.json["fieldConfig"]["defaults"]["color"] = json!({ "mode": "thresholds" });
    panel.json["fieldConfig"]["defaults"]["custom"] = json!({
        "align": "auto", "cellOptions": { "type": "auto" }, "filterable": false, "inspect": false,
    });
    panel.json["options"] = json!({
        "cellHeight": "sm",
        "frameIndex": 0,
        "footer": { "countRows": false, "reducer": ["sum"], "show": false },
        "showHeader": true,
        "sortBy": [{ "desc": true, "displayName": "Value" }],
    });
    // The moment of the question is of no use in a table.
    panel.json["transformations"] = json!([
        { "id": "organize", "options": { "excludeByName": { "Time": true }, "indexByName": {}, "renameByName": {} } },
    ]);
    panel.sized(8, 8)
}

/// Words.
pub(super) fn text(id: u64, title: &str, markdown: &str) -> Panel {
    Panel {
        width: 8,
        height: 8,
        json: json!({
            "id": id,
            "type": "text",
            "title": title,
            "options": { "mode": "markdown", "content": markdown },
        }),
    }
}

impl Panel {
    fn new(kind: &str, id: u64, title: &str, description: &str) -> Self {
        Self {
            width: 0,
            height: 0,
            json: json!({
                "id": id,
                "type": kind,
                "title": title,
                "description": description,
                "datasource": { "type": "prometheus", "uid": "${datasource}" },
                "fieldConfig": {
                    "defaults": {
                        "mappings": [],
                        "min": 0,
                        "noValue": NOTHING,
                        "thresholds": { "mode": "absolute", "steps": [{ "color": "green", "value": null }] },
                    },
                    "overrides": [],
                },
                "targets": [],
            }),
        }
    }

    fn kind(&self) -> &str {
        self.json["type"].as_str().unwrap()
    }

    fn defaults(&mut self) -> &mut Value {
        &mut self.json["fieldConfig"]["defaults"]
    }

    /// In twenty-fourths of the width, and rows of Grafana's grid.
    pub(super) fn sized(mut self, width: u64, height: u64) -> Self {
        (self.width, self.height) = (width, height);
        self
    }

    /// One more query. A legend of `{{label}}` names each series by that label.
    pub(super) fn asks(mut self, query: &str, legend: &str) -> Self {
        let targets = self.json["targets"].as_array().unwrap();
        let ref_id = char::from(b'A' + u8::try_from(targets.len()).unwrap()).to_string();
        let now = matches!(self.kind(), "bargauge" | "table");
        let format = match self.kind() {
            "heatmap" => "heatmap",
            "table" => "table",
            _ => "time_series",
        };
        let target = json!({
            "datasource": { "type": "prometheus", "uid": "${datasource}" },
            "editorMode": "code",
            "expr": query,
            "format": format,
            "instant": now,
            "legendFormat": legend,
            "range": !now,
            "refId": ref_id,
        });
        self.json["targets"].as_array_mut().unwrap().push(target);
        self
    }

    pub(super) fn unit(mut self, unit: &str) -> Self {
        self.defaults()["unit"] = json!(unit);
        if self.kind() == "heatmap" {
            self.json["options"]["yAxis"]["unit"] = json!(unit);
        }
        self
    }

    pub(super) fn decimals(mut self, decimals: u64) -> Self {
        self.defaults()["decimals"] = json!(decimals);
        self
    }

    pub(super) fn at_most(mut self, max: f64) -> Self {
        self.defaults()["max"] = json!(max);
        self
    }

    /// The axis reaches at least to here, so that what is good looks small.
    pub(super) fn reaches(mut self, soft_max: f64) -> Self {
        self.defaults()["custom"]["axisSoftMax"] = json!(soft_max);
        self
    }

    /// What is worth a look below 0 as well.
    pub(super) fn below_zero(mut self) -> Self {
        self.defaults().as_object_mut().unwrap().remove("min");
        self
    }

    /// What stands there when there is no answer, and that is as it should be.
    pub(super) fn nothing(mut self, says: &str) -> Self {
        self.defaults()["noValue"] = json!(says);
        self
    }

    /// The colour up to the first step, then each step's from its value on.
    pub(super) fn steps(mut self, base: &str, steps: &[(f64, &str)]) -> Self {
        let mut all = vec![json!({ "color": base, "value": null })];
        all.extend(
            steps
                .iter()
                .map(|(value, color)| json!({ "color": color, "value": value })),
        );
        self.defaults()["thresholds"]["steps"] = json!(all);
        self
    }

    /// Green, and a dashed line where it ends.
    pub(super) fn line_at(self, value: f64) -> Self {
        let mut panel = self.steps("transparent", &[(value, "red")]);
        panel.defaults()["custom"]["thresholdsStyle"]["mode"] = json!("dashed");
        panel
    }

    pub(super) fn stacked(mut self) -> Self {
        let custom = &mut self.defaults()["custom"];
        custom["stacking"]["mode"] = json!("normal");
        custom["fillOpacity"] = json!(35);
        self
    }

    /// For what is counted one by one.
    pub(super) fn columns(mut self) -> Self {
        let custom = &mut self.defaults()["custom"];
        custom["drawStyle"] = json!("bars");
        custom["fillOpacity"] = json!(70);
        custom["stacking"]["mode"] = json!("normal");
        self
    }

    /// For what jumps and stays.
    pub(super) fn stepped(mut self) -> Self {
        let custom = &mut self.defaults()["custom"];
        custom["lineInterpolation"] = json!("stepAfter");
        custom["fillOpacity"] = json!(20);
        self
    }

    pub(super) fn sparkline(mut self) -> Self {
        self.json["options"]["graphMode"] = json!("area");
        self
    }

    /// Numbers that are words: 1 is `there`, and green.
    pub(super) fn says(mut self, words: &[(u64, &str, &str)]) -> Self {
        let mut options = json!({});
        for (index, (value, text, color)) in words.iter().enumerate() {
            options[value.to_string()] = json!({ "color": color, "index": index, "text": text });
        }
        self.defaults()["mappings"] = json!([{ "type": "value", "options": options }]);
        self
    }

    /// The same colour for the same name in all panels.
    pub(super) fn coloured(mut self, colours: &[(&str, &str)]) -> Self {
        let overrides = self.json["fieldConfig"]["overrides"]
            .as_array_mut()
            .unwrap();
        overrides.extend(colours.iter().map(|(name, colour)| {
            json!({
                "matcher": { "id": "byName", "options": name },
                "properties": [{ "id": "color", "value": { "fixedColor": colour, "mode": "fixed" } }],
            })
        }));
        self
    }

    /// A series of another unit gets an axis of its own.
    pub(super) fn right_axis(mut self, name: &str, unit: &str) -> Self {
        let overrides = &mut self.json["fieldConfig"]["overrides"];
        overrides.as_array_mut().unwrap().push(json!({
            "matcher": { "id": "byName", "options": name },
            "properties": [
                { "id": "unit", "value": unit },
                { "id": "custom.axisPlacement", "value": "right" },
                { "id": "custom.fillOpacity", "value": 0 },
            ],
        }));
        self
    }

    /// What the column `Value` of a table is called.
    pub(super) fn column(mut self, name: &str) -> Self {
        self.json["transformations"][0]["options"]["renameByName"]["Value"] = json!(name);
        self.json["options"]["sortBy"][0]["displayName"] = json!(name);
        self
    }
}
