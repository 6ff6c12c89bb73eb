//! Schema: the plan's tables as a JSON schema (draft 2020-12), for editors that complete and check TOML while it is
//! written. It says the shape; what needs two keys to be seen is for `isotherm config check`.

use super::keys::Key;
use super::section::{Engine, External, Feed, Model, Rename, Series, Venue};
use super::tables::{
    ENGINE, EXTERNAL, FEED, FEEDS_MAX, MODEL, RENAME, RENAMES_MAX, SERIES, SERIES_MAX, VENUE,
    VENUES_MAX,
};
use serde_json::{Map, Value as Json, json};

/// The whole schema.
pub(super) fn schema() -> Json {
    let list = |items: Json, most: usize| json!({ "type": "array", "items": items, "minItems": 1, "maxItems": most });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "isotherm.toml",
        "description": "A plan of isotherm. `isotherm config check` also sees what a schema cannot say.",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "engine": section(&ENGINE, Some(&Engine::default())),
            "feed": list(section::<Feed>(&FEED, None), FEEDS_MAX),
            "venue": list(section(&VENUE, Some(&Venue::default())), VENUES_MAX),
            "external": section(&EXTERNAL, Some(&External::default())),
            "series": list(section::<Series>(&SERIES, None), SERIES_MAX),
            "rename": list(section::<Rename>(&RENAME, None), RENAMES_MAX),
            "model": section(&MODEL, Some(&Model::default())),
        },
    })
}

/// One section; `default` is told where a key's default does not depend on other keys.
fn section<T>(keys: &[Key<T>], default: Option<&T>) -> Json {
    let mut properties = Map::new();
    for key in keys {
        let mut property = key.kind.schema();
        let told = format!("{} Allowed: {}.", key.doc, key.kind.allowed());
        property["description"] = told.into();
        if !key.required
            && key.instead.is_empty()
            && let Some(value) = default
                .and_then(|default| key.kind.show(default))
                .and_then(|text| value(&text))
        {
            property["default"] = value;
        }
        properties.insert(key.name.to_owned(), property);
    }
    let required: Vec<&str> = (keys.iter().filter(|key| key.required))
        .map(|key| key.name)
        .collect();
    json!({
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
        "required": required,
    })
}

/// A shown value as JSON.
fn value(text: &str) -> Option<Json> {
    let table: toml::Table = toml::from_str(&format!("value = {text}")).ok()?;
    serde_json::to_value(table.get("value")?).ok()
}
