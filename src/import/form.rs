//! Form: which columns a file has, found by its head, and how each of its rows is read.
//!
//! One table, [`SPECS`], names every form: the family it belongs to, the columns it uses, and the function that makes
//! groups of a row. A file is of the form with the most columns that its head has; where two forms have the same
//! columns (trades and liquidations of Tardis) the path decides, and where a dump has no head its name does.

use super::names::{Names, ORIGINS, Origin, Place};
use super::row::{Cuts, Group, Row, Wrong};
use super::{Family, ImportError, binance, history, tardis};
use crate::market::VenueId;
use crate::num::Qty;
use crate::time::Nanos;
use crate::venue::text_id;
use std::collections::{HashMap, HashSet, VecDeque};
use std::path::Path;

/// Why a row gives no groups.
#[derive(Debug)]
pub(super) enum Reject {
    /// It does not fit: counted and named.
    Wrong(Wrong),
    /// Nothing of the file can be used.
    Stop(ImportError),
}

impl From<Wrong> for Reject {
    fn from(wrong: Wrong) -> Self {
        Self::Wrong(wrong)
    }
}

impl From<ImportError> for Reject {
    fn from(error: ImportError) -> Self {
        Self::Stop(error)
    }
}

/// Makes the groups of a row.
type Read = fn(&mut Form, Row<'_>, &mut Names, &mut Vec<Group>) -> Result<(), Reject>;

/// A form.
#[derive(Debug)]
pub(super) struct Spec {
    family: Family,
    /// Its name, which is also what its files are called.
    pub(super) word: &'static str,
    /// Columns it uses, in the order its function takes them.
    columns: &'static [&'static str],
    /// Columns of a file without a head, in order; empty = there must be a head.
    order: &'static [&'static str],
    /// Its venue where no column and no user says another: a place in [`ORIGINS`].
    origin: usize,
    /// The file's name must say how long a row's period is.
    is_periodic: bool,
    read: Read,
}

/// A form with a head, of Binance's numbers, of moments.
const PLAIN: Spec = Spec {
    family: Family::History,
    word: "",
    columns: &[],
    order: &[],
    origin: 0,
    is_periodic: false,
    read: tardis::trades,
};

/// What every file of Tardis begins with.
macro_rules! tardis {
    ($($column:literal),*) => {
        &["exchange", "symbol", "timestamp", "local_timestamp", $($column),*]
    };
}

/// Every form.
pub(super) const SPECS: [Spec; 19] = [
    Spec {
        family: Family::Tardis,
        word: "trades",
        columns: tardis!("id", "side", "price", "amount"),
        read: tardis::trades,
        ..PLAIN
    },
    Spec {
        family: Family::Tardis,
        word: "liquidations",
        columns: tardis!("id", "side", "price", "amount"),
        read: tardis::liquidations,
        ..PLAIN
    },
    Spec {
        family: Family::Tardis,
        word: "derivative_ticker",
        columns: tardis!(
            "funding_timestamp",
            "funding_rate",
            "open_interest",
            "index_price",
            "mark_price"
        ),
        read: tardis::ticker,
        ..PLAIN
    },
    Spec {
        family: Family::Tardis,
        word: "incremental_book_L2",
        columns: tardis!("is_snapshot", "side", "price", "amount"),
        read: tardis::book,
        ..PLAIN
    },
    Spec {
        family: Family::Binance,
        word: "aggTrades",
        columns: &binance::TRADES,
        order: &binance::TRADES_ORDER,
        read: binance::trades,
        ..PLAIN
    },
    Spec {
        family: Family::Binance,
        word: "metrics",
        columns: &binance::METRICS,
        order: &binance::METRICS,
        read: binance::metrics,
        ..PLAIN
    },
    Spec {
        family: Family::Binance,
        word: "klines",
        columns: &binance::BARS,
        order: &binance::BARS_ORDER,
        read: binance::bars,
        ..PLAIN
    },
    Spec {
        family: Family::Binance,
        word: "fundingRate",
        columns: &binance::FUNDING,
        order: &binance::FUNDING,
        read: binance::funding,
        ..PLAIN
    },
    Spec {
        family: Family::Binance,
        word: "liquidationSnapshot",
        columns: &binance::LIQUIDATIONS,
        order: &binance::LIQUIDATIONS_ORDER,
        read: binance::liquidations,
        ..PLAIN
    },
    Spec {
        word: "interest",
        columns: &["t", "oi", "oi_usd"],
        read: history::interest,
        ..PLAIN
    },
    Spec {
        word: "interest and bars",
        columns: &[
            "t_ms", "oi", "oi_usd", "open", "high", "low", "close", "volume",
        ],
        is_periodic: true,
        read: history::interest_and_bars,
        ..PLAIN
    },
    Spec {
        word: "bars",
        columns: &["t_ms", "open", "high", "low", "close", "volume"],
        is_periodic: true,
        read: history::bars,
        ..PLAIN
    },
    Spec {
        word: "mark bars",
        columns: &["t_ms", "open", "high", "low", "close"],
        is_periodic: true,
        read: history::mark_bars,
        ..PLAIN
    },
    Spec {
        word: "hourly funding",
        columns: &["ts", "rate"],
        read: history::hourly_funding,
        ..PLAIN
    },
    Spec {
        word: "funding",
        columns: &["t_ms", "funding_rate"],
        read: history::funding,
        ..PLAIN
    },
    Spec {
        word: "liquidation totals",
        columns: &["t_ms", "long_usd", "short_usd"],
        is_periodic: true,
        read: history::totals,
        ..PLAIN
    },
    Spec {
        word: "liquidation totals and interest",
        columns: &["t_ms", "long_usd", "short_usd", "oi_binance_stable_coins_c"],
        is_periodic: true,
        read: history::totals_and_interest,
        ..PLAIN
    },
    Spec {
        word: "trades",
        columns: &["t_ms", "px", "sz", "side"],
        origin: 3,
        read: history::trades,
        ..PLAIN
    },
    Spec {
        word: "context",
        columns: &["t_ms", "oi", "mark", "oracle", "funding"],
        origin: 3,
        read: history::context,
        ..PLAIN
    },
];

/// A file's form, what its name says, and what must be remembered from row to row.
#[derive(Debug)]
pub(super) struct Form {
    /// Which.
    pub(super) spec: &'static Spec,
    /// Place of the file on the command line.
    pub(super) file: u64,
    /// Its venue, where rows do not say.
    pub(super) origin: &'static Origin,
    /// Its instrument, where rows do not say.
    pub(super) instrument: Vec<u8>,
    /// Length of a row's period; zero where the form has none.
    pub(super) period: Nanos,
    /// Places of the form's columns in a line.
    columns: Vec<usize>,
    /// Fields of a line.
    width: usize,
    /// Rows dropped because they were there already.
    pub(super) duplicates: u64,
    /// Rows of a book before its first image.
    pub(super) early: u64,
    /// Open interest last told, by ring and symbol.
    pub(super) interest: HashMap<(u8, u16), Qty>,
    /// Books that have had an image.
    pub(super) images: HashSet<(u8, u16)>,
    /// A message of several rows that may go on.
    pub(super) batch: Option<tardis::Batch>,
    seen: HashSet<u64>,
    seen_in_order: VecDeque<u64>,
}

/// Rows among which a second one is found.
const RECENT: usize = 1 << 16;

/// Whether a first line is a head: no row of any form begins with a letter but those of Tardis, which has heads.
pub(super) fn is_head(line: &[u8]) -> bool {
    line.first()
        .is_some_and(|&b| b == b'"' || b.is_ascii_alphabetic())
}

impl Form {
    /// Finds the form of a file by its first line and its path.
    ///
    /// # Errors
    /// No form of this family, or a name that does not say what it must.
    pub(super) fn of(
        path: &Path,
        file: u64,
        first: &[u8],
        family: Family,
        venue: Option<VenueId>,
    ) -> Result<Self, ImportError> {
        let unknown = |why: String| ImportError::Unknown {
            name: path.display().to_string(),
            why,
        };
        let mut cuts = Cuts::default();
        let width = cuts.cut(first);
        let stem = stem_of(path);
        let heads: Vec<&[u8]> = (0..width).map(|at| cuts.field(first, at)).collect();
        let has = |column: &str| heads.iter().position(|head| *head == column.as_bytes());
        let ours = SPECS.iter().filter(|spec| spec.family == family);
        let (spec, order): (&'static Spec, Option<&[&str]>) = if is_head(first) {
            let fits = ours.filter(|spec| spec.columns.iter().all(|column| has(column).is_some()));
            let fits: Vec<&Spec> = fits.collect();
            let most = fits.iter().map(|spec| spec.columns.len()).max();
            let best = fits
                .into_iter()
                .filter(|spec| Some(spec.columns.len()) == most);
            (by_path(best.collect(), path).map_err(unknown)?, None)
        } else {
            let named = |spec: &&Spec| !spec.order.is_empty() && is_called(stem, spec.word);
            let spec = ours.into_iter().find(named).ok_or_else(|| {
                unknown("it has no head, and its name is none of a public dump".to_owned())
            })?;
            (spec, Some(spec.order))
        };
        let columns = spec.columns.iter().map(|column| match order {
            Some(order) => order.iter().position(|name| name == column),
            None => has(column),
        });
        let columns = columns.map(|at| at.unwrap_or(usize::MAX)).collect();
        let period = stem.split('_').find_map(period_of);
        if spec.is_periodic && period.is_none() {
            return Err(unknown(format!(
                "{}: the name must say how long a row's period is, as BTCUSDT_5m.csv does",
                spec.word
            )));
        }
        // A user's word is for forms that say nothing of their venue.
        let origin = match venue.filter(|_| spec.origin == PLAIN.origin) {
            Some(id) => ORIGINS.iter().find(|origin| origin.id == id),
            None => ORIGINS.get(spec.origin),
        };
        let origin = origin.ok_or_else(|| unknown("no such venue".to_owned()))?;
        Ok(Self {
            spec,
            file,
            origin,
            instrument: instrument_of(stem, family, origin),
            period: period.filter(|_| spec.is_periodic).unwrap_or_default(),
            columns,
            width: order.map_or(width, <[&str]>::len),
            duplicates: 0,
            early: 0,
            interest: HashMap::new(),
            images: HashSet::new(),
            batch: None,
            seen: HashSet::new(),
            seen_in_order: VecDeque::new(),
        })
    }

    /// Makes the groups of a line.
    ///
    /// # Errors
    /// What does not fit, or stops the import.
    pub(super) fn read(
        &mut self,
        line: u64,
        text: &[u8],
        cuts: &mut Cuts,
        names: &mut Names,
        out: &mut Vec<Group>,
    ) -> Result<(), Reject> {
        let width = cuts.cut(text);
        if width != self.width {
            return Err(Wrong {
                column: "row",
                found: format!("{width} fields instead of {}", self.width),
            }
            .into());
        }
        let columns = std::mem::take(&mut self.columns);
        let row = Row {
            line,
            text,
            cuts,
            columns: &columns,
        };
        let done = (self.spec.read)(self, row, names, out);
        self.columns = columns;
        done
    }

    /// The end of the file: what waits for another row gets none.
    pub(super) fn end(&mut self, out: &mut Vec<Group>) {
        out.extend(self.batch.take().and_then(tardis::Batch::close));
    }

    /// Where a file of one instrument goes.
    pub(super) fn place(&self, names: &mut Names) -> Result<Option<Place>, ImportError> {
        names.place(self.origin, &self.instrument)
    }

    /// Whether this very row was among the recent ones of its file; it is now.
    pub(super) fn is_duplicate(&mut self, text: &[u8]) -> bool {
        let id = text_id(text);
        if !self.seen.insert(id) {
            self.duplicates += 1;
            return true;
        }
        self.seen_in_order.push_back(id);
        if self.seen_in_order.len() > RECENT
            && let Some(old) = self.seen_in_order.pop_front()
        {
            self.seen.remove(&old);
        }
        false
    }
}

/// The one of several forms with the same columns that the path speaks of: its last part first.
fn by_path(best: Vec<&'static Spec>, path: &Path) -> Result<&'static Spec, String> {
    let names: Vec<&str> = best.iter().map(|spec| spec.word).collect();
    match best.as_slice() {
        [] => return Err("its head is of no form that is known".to_owned()),
        [spec] => return Ok(spec),
        _ => {}
    }
    for part in path.iter().rev() {
        let part = part.to_string_lossy();
        let mut called = best.iter().filter(|spec| part.contains(spec.word));
        if let (Some(spec), None) = (called.next(), called.next()) {
            return Ok(spec);
        }
    }
    let names = names.join(" and ");
    Err(format!(
        "{names} have the same columns: its name or its folder must say which it is"
    ))
}

/// The name of a file before its first dot.
fn stem_of(path: &Path) -> &str {
    let name = path.file_name().and_then(|name| name.to_str());
    let name = name.unwrap_or_default();
    name.split_once('.').map_or(name, |(stem, _)| stem)
}

/// Whether a dump's name (`BTCUSDT-aggTrades-2024-01-01`, `BTCUSDT-5m-2024-01`) is of that kind.
fn is_called(stem: &str, word: &str) -> bool {
    let kind = stem.split('-').nth(1).unwrap_or_default();
    kind == word || (word == "klines" && period_of(kind).is_some())
}

/// `5m`, `4h`, `1d`.
fn period_of(text: &str) -> Option<Nanos> {
    let unit = match text.as_bytes().last()? {
        b'm' => 60,
        b'h' => 3_600,
        b'd' => 86_400,
        _ => return None,
    };
    let count: i64 = text.get(..text.len() - 1)?.parse().ok()?;
    (1..=1_440)
        .contains(&count)
        .then(|| Nanos::seconds(count * unit))
}

/// The instrument a file's name begins with; one that is only an asset is completed.
fn instrument_of(stem: &str, family: Family, origin: &Origin) -> Vec<u8> {
    let border = if family == Family::History { '_' } else { '-' };
    let name = stem.split(border).next().unwrap_or_default();
    let rest = if name.ends_with(origin.suffix) || family != Family::History {
        ""
    } else {
        origin.suffix
    };
    format!("{name}{rest}").into_bytes()
}
