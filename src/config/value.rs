//! Value: what a key's text may be, said and read: addresses, paths, names, owners, moments.

use super::fault::Complaint;
use super::tables::SYMBOLS_MAX;
use crate::log::utc;
use crate::market::{VenueId, split_multiple};
use crate::time::Nanos;
use crate::venue::{self, VENUES};
use std::net::IpAddr;
use std::path::PathBuf;

/// Longest instance name, and name of a series: they are parts of file names and of metrics.
const NAME_MAX: usize = 32;
/// Longest path of a socket: the system admits 107 bytes, and the socket is made under a longer name.
pub(super) const SOCKET_MAX: usize = 90;

pub(super) fn path_text() -> String {
    "a path".to_owned()
}

pub(super) fn page_allowed() -> String {
    "an absolute path of a file".to_owned()
}

pub(super) fn socket_allowed() -> String {
    format!("an absolute path of at most {SOCKET_MAX} bytes")
}

pub(super) fn name_allowed() -> String {
    format!("1 to {NAME_MAX} of a-z 0-9 _ -")
}

pub(super) fn url_allowed() -> String {
    "ws://host[:port]/path or wss://host[:port]/path".to_owned()
}

pub(super) fn rest_allowed() -> String {
    "http://host[:port] or https://host[:port], or \"\" for none".to_owned()
}

pub(super) fn bind_allowed() -> String {
    "an IP address of this machine".to_owned()
}

pub(super) fn owner_allowed() -> String {
    "a user or user:group, by name or number".to_owned()
}

pub(super) fn mode_allowed() -> String {
    "three octal digits behind a zero, like \"0660\"".to_owned()
}

pub(super) fn agent_allowed() -> String {
    "1 to 100 printable ASCII characters".to_owned()
}

pub(super) fn symbol_allowed() -> String {
    format!(
        "1 to {SYMBOLS_MAX} canonical assets, each once, like \"BTC\" (A-Z, 0-9, at most 16 long)"
    )
}

pub(super) fn venue_names() -> Vec<&'static str> {
    VENUES.iter().map(|row| row.name).collect()
}

pub(super) fn venue_at(at: usize) -> VenueId {
    VENUES.get(at).map_or(VenueId(0), |row| row.id)
}

pub(super) fn venue_name(id: VenueId) -> &'static str {
    venue::venue(id).map_or("", |row| row.name)
}

pub(super) fn names<T>(table: &[(&'static str, T)]) -> Vec<&'static str> {
    table.iter().map(|(name, _)| *name).collect()
}

/// The value of a place that `Kind` found in the same table.
pub(super) fn at<T: Copy>(table: &[(&'static str, T)], place: usize, into: &mut T) {
    if let Some((_, value)) = table.get(place) {
        *into = *value;
    }
}

/// A canonical asset's name, or which one was probably meant by a contract's.
pub(super) fn symbol_name(name: &str) -> Result<String, Complaint> {
    let upper = name.to_uppercase();
    let pair = ["-PERP", "-SWAP", "-USDT", "-USDC", "_USDT", "USDT", "USDC"]
        .iter()
        .find_map(|quote| upper.strip_suffix(quote))
        .filter(|base| base.len() >= 2);
    // `kPEPE` is only told by its small letter.
    let lot = split_multiple(if name.starts_with('k') { name } else { &upper });
    let meant = match (pair, lot) {
        (Some(base), _) => split_multiple(base).0.to_owned(),
        (None, (base, multiple)) if multiple > 1 => base.to_owned(),
        _ => upper.clone(),
    };
    let fine = (1..=16).contains(&name.len())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    if !fine || meant != name {
        let fault = Complaint::new(symbol_allowed());
        return Err(if meant == name || meant.is_empty() {
            fault
        } else {
            fault.note(format!("did you mean \"{meant}\"?"))
        });
    }
    Ok(name.to_owned())
}

/// Keeps a symbol once.
pub(super) fn symbol(symbols: &mut Vec<String>, name: &str) -> Result<(), Complaint> {
    let name = symbol_name(name)?;
    if symbols.contains(&name) {
        return Err(Complaint::new(symbol_allowed()).note("named twice"));
    }
    if symbols.len() == SYMBOLS_MAX {
        return Err(Complaint::new(symbol_allowed()).note("too many"));
    }
    symbols.push(name);
    Ok(())
}

/// A name of an instance or of a series.
pub(super) fn name(text: &str) -> Result<String, Complaint> {
    let fine = (1..=NAME_MAX).contains(&text.len())
        && text
            .bytes()
            .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'));
    fine.then(|| text.to_owned())
        .ok_or_else(|| Complaint::new(name_allowed()))
}

pub(super) fn path(text: &str) -> Result<PathBuf, Complaint> {
    if text.is_empty() {
        return Err(Complaint::new(path_text()));
    }
    Ok(PathBuf::from(text))
}

pub(super) fn path_shown(path: Option<&PathBuf>) -> Option<String> {
    Some(path?.to_string_lossy().into_owned())
}

/// Checks an address of one of two schemes, plain and with TLS.
pub(super) fn address(
    text: &str,
    schemes: [&str; 2],
    allowed: String,
) -> Result<String, Complaint> {
    let refuse = || Complaint::new(allowed.clone());
    let (scheme, rest) = text.split_once("://").ok_or_else(refuse)?;
    if !schemes.contains(&scheme) {
        return Err(refuse().meant(scheme, schemes.into_iter()));
    }
    let host_port = rest.split(['/', '?']).next().unwrap_or_default();
    let (host, port) = match host_port.rsplit_once(':') {
        // The colons of `[::1]` are no port.
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (host_port, None),
    };
    let right_port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    let right_host = !host.is_empty() && !host.contains('@');
    let plain = rest.bytes().all(|byte| byte.is_ascii_graphic());
    if !right_port || !right_host || !plain {
        return Err(refuse());
    }
    Ok(text.to_owned())
}

pub(super) fn url(text: &str) -> Result<String, Complaint> {
    address(text, ["ws", "wss"], url_allowed())
}

pub(super) fn rest(text: &str) -> Result<String, Complaint> {
    match text {
        "" => Ok(String::new()),
        text => address(
            text.trim_end_matches('/'),
            ["http", "https"],
            rest_allowed(),
        ),
    }
}

pub(super) fn bind(text: &str) -> Result<Option<IpAddr>, Complaint> {
    let address: Result<IpAddr, _> = text.parse();
    address
        .map(Some)
        .map_err(|_| Complaint::new(bind_allowed()))
}

pub(super) fn mode(text: &str) -> Result<u32, Complaint> {
    let digits = text.strip_prefix('0').filter(|digits| digits.len() == 3);
    digits
        .filter(|digits| digits.bytes().all(|digit| matches!(digit, b'0'..=b'7')))
        .and_then(|digits| u32::from_str_radix(digits, 8).ok())
        .ok_or_else(|| Complaint::new(mode_allowed()))
}

pub(super) fn owner(text: &str) -> Result<Option<String>, Complaint> {
    let word = |part: &str| {
        let fine = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
        !part.is_empty() && part.bytes().all(fine)
    };
    let parts: Vec<&str> = text.split(':').collect();
    if parts.len() > 2 || !parts.iter().all(|part| word(part)) {
        return Err(Complaint::new(owner_allowed()));
    }
    Ok(Some(text.to_owned()))
}

pub(super) fn small(n: i64) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

pub(super) fn moment_allowed() -> String {
    "a moment in UTC, as \"2026-06-02T08:00:00Z\"".to_owned()
}

pub(super) fn moment_text(at: Nanos) -> String {
    let text = utc(at);
    format!("{}Z", text.get(..19).unwrap_or_default())
}

/// Reads what [`moment_text`] writes: days before it are counted off, so that the calendar stands in one place.
pub(super) fn moment(text: &str) -> Result<Nanos, Complaint> {
    let wrong = || Complaint::new(moment_allowed());
    let part = |from: usize, to: usize, high: i64| {
        let digits = text
            .get(from..to)
            .filter(|part| part.bytes().all(|b| b.is_ascii_digit()));
        let number: i64 = digits
            .and_then(|digits| digits.parse().ok())
            .ok_or_else(wrong)?;
        if number > high {
            return Err(wrong());
        }
        Ok(number)
    };
    let (year, month, day) = (part(0, 4, 2_200)?, part(5, 7, 12)?, part(8, 10, 31)?);
    let of_day = part(11, 13, 23)? * 3_600 + part(14, 16, 59)? * 60 + part(17, 19, 59)?;
    // No month begins later than 31 days a month behind the year's first.
    let about =
        (year - 1_970) * 365 + (year - 1_969) / 4 - (year - 1_901) / 100 + (month - 1) * 31 + day
            - 1;
    (about - 9..=about + 1)
        .map(|days| Nanos::seconds(days * 86_400 + of_day))
        .find(|at| moment_text(*at) == text)
        .ok_or_else(wrong)
}
