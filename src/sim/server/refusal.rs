//! Refusal: how each venue says no to a subscription, in the words of its documentation.

use super::super::dialect::Dialect;
use serde_json::{Value, json};

/// The answer to the subscription `text` of connection `id` when the venue does not grant it. A text
/// that is no request is refused as well as it can be read.
pub(super) fn refusal(dialect: Dialect, text: &str, id: &str) -> String {
    let request: Value = serde_json::from_str(text).unwrap_or_default();
    let said = match dialect {
        Dialect::Bybit => {
            let topic = request["args"][0].as_str().unwrap_or_default();
            json!({
                "success": false,
                "ret_msg": format!("error:handler not found,topic:{topic}"),
                "conn_id": id,
                "req_id": request["req_id"].as_str().unwrap_or_default(),
                "op": "subscribe",
            })
        }
        Dialect::Binance => json!({
            "error": {"code": 2, "msg": "Invalid request: too many streams"},
            "id": request["id"],
        }),
        Dialect::Okx => {
            let arg = &request["args"][0];
            let channel = arg["channel"].as_str().unwrap_or_default();
            let text = format!(
                "Wrong URL or channel:{channel},instId:{} doesn't exist. Please use the correct \
                 URL, channel and parameters referring to API document.",
                arg["instId"].as_str().unwrap_or_default()
            );
            let mut said = json!({"event": "error", "code": "60018", "msg": text, "connId": id});
            if let Some(tag) = request.get("id") {
                said["id"] = tag.clone();
            }
            said
        }
        Dialect::Hyperliquid => json!({
            "channel": "error",
            "data": format!("Invalid subscription {}", request["subscription"]),
        }),
    };
    said.to_string()
}
