//! Accounts: whom to ask a venue about whose public accounts can be asked, and when.
//!
//! Addresses come from trades, through a ring a feed. An account's *weight* is what it held when it last answered plus
//! what it has traded since (cents): somebody who holds nothing and does not trade weighs nothing and is left alone.
//! Asked next is whoever has the largest age × √weight, age since the last answer, so that an account is asked in
//! proportion to the root of what it may have changed; one that was never asked counts as [`NEVER`] old. Nobody is
//! asked more often than the venue's row (or the plan) says.
//!
//! A table of [`MOST`]: when it is full, an account that trades more than the lightest one weighs takes its place. Asks
//! are spaced evenly so that they take [`PART`] of our share of the venue's budget and no more, and go only when
//! nothing else is due; failures space them further apart.
//!
//! Times are nanoseconds of any clock that does not go back. No socket here: `rest` asks.

use super::budget::share_of;
use crate::feed::sighting::Sighting;
use crate::num::Usd;
use crate::num::fixed::isqrt;
use crate::ring::Consumer;
use crate::time::Nanos;
use crate::venue::{ACCOUNT, Venue, What};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt::Write as _;

/// Accounts that are watched.
pub const MOST: usize = 8_192;
/// Percent of our share of the budget.
pub const PART: u64 = 25;
/// The age of an account that was never asked.
pub const NEVER: Nanos = Nanos::HOUR;
/// The longest wait after failures.
const PAUSE_MAX: Nanos = Nanos::MINUTE;

/// A public address.
pub type Address = [u8; 20];

/// One account.
#[derive(Debug, Clone, Copy)]
struct Row {
    address: Address,
    /// What it held when it last answered, and what it has traded since, cents.
    held: i64,
    traded: i64,
    /// √(held + traded).
    root: i64,
    /// When it was last asked, and whether it ever was.
    asked: Option<Nanos>,
}

impl Row {
    fn weigh(&mut self) {
        self.root = isqrt(i128::from(self.held) + i128::from(self.traded));
    }

    fn weight(&self) -> i64 {
        self.held.saturating_add(self.traded)
    }
}

/// A request that is due, and whom it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// Path, space, body.
    pub request: String,
    /// Whom.
    pub address: Address,
}

/// The accounts of one venue.
#[derive(Debug)]
pub struct Accounts {
    from: Vec<Consumer<Sighting>>,
    places: HashMap<Address, usize>,
    rows: Vec<Row>,
    request: &'static str,
    /// What an ask costs of the budget.
    pub weight: u32,
    every: Nanos,
    pace: Nanos,
    /// Nothing is asked before.
    until: Nanos,
    fails: u32,
    /// Times a ring was found full: sightings were lost.
    pub overflown: u64,
}

impl Accounts {
    /// Of a venue whose row asks for accounts; `None` for another. `share` is our percentage of its budget, `every` the
    /// plan's word on how often one account may be asked.
    #[must_use]
    pub fn new(
        row: &Venue,
        share: u32,
        every: Option<Nanos>,
        from: Vec<Consumer<Sighting>>,
    ) -> Option<Self> {
        let ask = row.asks.iter().find(|ask| ask.what == What::Accounts)?;
        let budget = (share_of(row, share) * PART / 100).max(1);
        let period = row.rest_budget.per.get().max(0).unsigned_abs();
        let pace = u128::from(period) * u128::from(ask.weight) / u128::from(budget);
        Some(Self {
            from,
            places: HashMap::with_capacity(MOST),
            rows: Vec::with_capacity(MOST),
            request: ask.request,
            weight: ask.weight,
            every: every.unwrap_or(ask.every),
            pace: Nanos::new(i64::try_from(pace).unwrap_or(i64::MAX)),
            until: Nanos::ZERO,
            fails: 0,
            overflown: 0,
        })
    }

    /// Takes in what the feeds have seen.
    pub fn hear(&mut self) {
        for at in 0..self.from.len() {
            let full = self.from[at].len() >= crate::feed::sighting::RING;
            self.overflown += u64::from(full);
            while let Some(seen) = self.from[at].pop() {
                self.see(&seen.address, Usd::new(seen.usd));
            }
        }
    }

    /// An account has traded.
    pub fn see(&mut self, address: &Address, usd: Usd) {
        let usd = usd.get().max(0);
        let mut row = Row {
            address: *address,
            held: 0,
            traded: usd,
            root: 0,
            asked: None,
        };
        row.weigh();
        match self.places.entry(*address) {
            Entry::Occupied(known) => {
                if let Some(row) = self.rows.get_mut(*known.get()) {
                    row.traded = row.traded.saturating_add(usd);
                    row.weigh();
                }
            }
            Entry::Vacant(free) if self.rows.len() < MOST => {
                free.insert(self.rows.len());
                self.rows.push(row);
            }
            Entry::Vacant(_) => {
                // LIMIT: the lightest gives way to one that trades more; otherwise it is seen again when it does.
                let rows = self.rows.iter_mut().enumerate();
                if let Some((at, lightest)) = rows.min_by_key(|(_, row)| row.weight())
                    && lightest.weight() < usd
                {
                    self.places.remove(&lightest.address);
                    self.places.insert(*address, at);
                    *lightest = row;
                }
            }
        }
    }

    /// Whom to ask now; nobody while it is too early or nobody weighs anything.
    #[must_use]
    pub fn next(&self, now: Nanos) -> Option<Due> {
        if now < self.until {
            return None;
        }
        let urgency = |row: &Row| {
            let age = match row.asked {
                Some(at) if now.since(at) < self.every => Nanos::ZERO,
                Some(at) => now.since(at),
                None => NEVER,
            };
            i128::from(age.get()) * i128::from(row.root)
        };
        // Of equals the one that came first.
        let rows = self.rows.iter().rev().map(|row| (urgency(row), row));
        let (most, row) = rows.max_by_key(|(urgency, _)| *urgency)?;
        let mut address = String::from("0x");
        for byte in row.address {
            // A string takes whatever is written.
            let _ = write!(address, "{byte:02x}");
        }
        (most > 0).then(|| Due {
            request: self.request.replace(ACCOUNT, &address),
            address: row.address,
        })
    }

    /// It was asked and has answered; `held` is what it holds of the symbols that are followed.
    pub fn answered(&mut self, now: Nanos, address: &Address, held: Usd) {
        self.fails = 0;
        self.until = now.plus(self.pace);
        if let Some(row) = self.row(address) {
            (row.held, row.traded) = (held.get().max(0), 0);
            row.asked = Some(now);
            row.weigh();
        }
    }

    /// It was asked in vain: the next ask, whomever it is about, waits ever longer.
    pub fn failed(&mut self, now: Nanos, address: &Address) {
        let wait = Nanos::SECOND.get() << self.fails.min(6);
        self.fails = self.fails.saturating_add(1);
        self.until = now.plus(Nanos::new(
            wait.max(self.pace.get())
                .min(PAUSE_MAX.get().max(self.pace.get())),
        ));
        if let Some(row) = self.row(address) {
            row.asked = Some(now);
        }
    }

    fn row(&mut self, address: &Address) -> Option<&mut Row> {
        self.rows.get_mut(*self.places.get(address)?)
    }

    /// Accounts that are watched.
    #[must_use]
    pub fn watched(&self) -> usize {
        self.rows.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::by_name;

    fn accounts(share: u32) -> Accounts {
        Accounts::new(by_name("hyperliquid").unwrap(), share, None, Vec::new()).unwrap()
    }

    fn of(n: u32) -> Address {
        let mut address = [0xab; 20];
        address[..4].copy_from_slice(&n.to_be_bytes());
        address
    }

    fn usd(cents: i64) -> Usd {
        Usd::new(cents)
    }

    #[test]
    fn a_venue_without_public_accounts_has_none() {
        assert!(Accounts::new(by_name("bybit").unwrap(), 100, None, Vec::new()).is_none());
    }

    #[test]
    fn asks_are_spaced_over_a_quarter_of_our_share() {
        for (share, most) in [(100, 150), (50, 75), (10, 15), (1, 2)] {
            let mut accounts = accounts(share);
            for n in 0..1_000 {
                accounts.see(&of(n), usd(1_000_000));
            }
            let (mut now, mut asked) = (Nanos::ZERO, 0);
            while now < Nanos::MINUTE {
                if let Some(due) = accounts.next(now) {
                    accounts.answered(now, &due.address, usd(1_000));
                    asked += 1;
                }
                now = now.plus(Nanos::millis(10));
            }
            assert!(
                asked <= most && asked * 10 >= most * 9,
                "{share}: {asked} of {most}"
            );
        }
    }

    #[test]
    fn the_heavy_go_first_and_the_weightless_are_left_alone() {
        let mut accounts = accounts(100);
        assert_eq!(accounts.next(Nanos::ZERO), None);
        accounts.see(&of(1), usd(100));
        accounts.see(&of(2), usd(10_000));
        accounts.see(&of(1), usd(50));
        let mut order = Vec::new();
        let mut now = Nanos::ZERO;
        for _ in 0..4 {
            now = now.plus(Nanos::HOUR);
            let Some(due) = accounts.next(now) else { break };
            // The first holds what it traded for, the second has closed.
            let held = if due.address == of(2) { 0 } else { 150 };
            accounts.answered(now, &due.address, usd(held));
            order.push(due.address);
        }
        assert_eq!(order, [of(2), of(1), of(1), of(1)]);
        let due = accounts.next(now.plus(Nanos::MINUTE)).unwrap();
        let body = r#"/info {"type":"clearinghouseState","user":"0x00000001abababababababababababababababab"}"#;
        assert_eq!(due.request, body);
        // Not twice within the row's minute, though nobody else is there.
        assert_eq!(accounts.next(now.plus(Nanos::seconds(59))), None);
        accounts.see(&of(2), usd(1));
        let due = accounts.next(now.plus(Nanos::seconds(59)));
        assert_eq!(due.map(|due| due.address), Some(of(2)));
    }

    #[test]
    fn a_full_table_keeps_the_heavier() {
        let mut accounts = accounts(100);
        for n in 0..MOST as u32 {
            accounts.see(&of(n), usd(100 + i64::from(n)));
        }
        accounts.see(&of(1 << 30), usd(100));
        assert!(!accounts.places.contains_key(&of(1 << 30)));
        accounts.see(&of(1 << 30), usd(101));
        assert!(accounts.places.contains_key(&of(1 << 30)));
        assert!(!accounts.places.contains_key(&of(0)));
        assert_eq!((accounts.watched(), accounts.places.len()), (MOST, MOST));
        for (address, place) in &accounts.places {
            assert_eq!(accounts.rows[*place].address, *address);
        }
    }

    #[test]
    fn failures_are_asked_ever_less_often() {
        let mut accounts = accounts(100);
        accounts.see(&of(1), usd(100));
        accounts.see(&of(2), usd(90));
        let mut now = Nanos::HOUR;
        let mut waits = Vec::new();
        for _ in 0..9 {
            let due = accounts.next(now).unwrap();
            accounts.failed(now, &due.address);
            waits.push(accounts.until.since(now).get() / Nanos::SECOND.get());
            now = now.plus(Nanos::HOUR);
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        let due = accounts.next(now).unwrap();
        accounts.answered(now, &due.address, usd(5));
        accounts.failed(now, &due.address);
        assert_eq!(accounts.until.since(now), Nanos::SECOND);
    }

    #[test]
    fn what_feeds_saw_comes_through_their_rings() {
        let (mut to, from) = crate::ring::channel(crate::feed::sighting::RING);
        let row = by_name("hyperliquid").unwrap();
        let mut accounts = Accounts::new(row, 100, None, vec![from]).unwrap();
        let seen = |n| Sighting {
            usd: 7,
            address: of(n),
            spare: [0; 4],
        };
        assert!(to.push(seen(3)) && to.push(seen(3)));
        accounts.hear();
        assert_eq!((accounts.watched(), accounts.overflown), (1, 0));
        while to.push(seen(4)) {}
        accounts.hear();
        assert_eq!((accounts.watched(), accounts.overflown), (2, 1));
    }
}
