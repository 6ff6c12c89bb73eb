//! Budget: how much may be asked of a venue, by REST and in connections, counted per address.
//!
//! Venues count what an address asks and ban one that asks too much, for minutes or days. So every
//! request has a weight, what was spent in the running period is known, the venue's own count (where
//! it tells one) wins over ours, and a refusal stops everything until it has passed. Several
//! instances behind one address share its budget: each gets the percentage its plan says.

use crate::venue::Venue;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The wait after a refusal that does not say how long.
const REFUSED: Duration = Duration::from_secs(60);
/// The wait after a ban (HTTP 418, 403) that does not say how long.
const BANNED: Duration = Duration::from_secs(600);
/// No refusal is believed to pass sooner or to last longer, whatever it says: a venue that says 0 means soon, and the
/// longest bans are of days.
const WAIT_LEAST: Duration = Duration::from_secs(1);
const WAIT_MOST: Duration = Duration::from_secs(4 * 24 * 3600);
/// The venue's own count of the running period may not pass this share of its limit, percent.
const FULL: u64 = 80;

/// What is left of a venue's budgets.
#[derive(Debug)]
pub(super) struct Budget {
    /// Weight a period, our share.
    weight: u64,
    /// The whole weight a period, as the venue counts it.
    whole: u64,
    period: Duration,
    began: Instant,
    spent: u64,
    /// Connections a minute, our share.
    connects: usize,
    connected: VecDeque<Instant>,
    /// Nothing is asked before.
    until: Option<Instant>,
    /// No connection is made before.
    barred: Option<Instant>,
}

/// Our share, in percent, of the weight a venue admits in a period.
pub(super) fn share_of(row: &Venue, share: u32) -> u64 {
    let whole = u64::from(row.rest_budget.weight.max(1));
    (whole * u64::from(share.clamp(1, 100)) / 100).max(1)
}

impl Budget {
    /// `share` is our percentage of what the venue admits.
    pub(super) fn new(row: &Venue, share: u32, now: Instant) -> Self {
        let connects = u64::from(row.connects.max(1)) * u64::from(share.clamp(1, 100)) / 100;
        Self {
            weight: share_of(row, share),
            whole: u64::from(row.rest_budget.weight.max(1)),
            period: Duration::from_nanos(row.rest_budget.per.get().max(1).unsigned_abs()),
            began: now,
            spent: 0,
            connects: connects.max(1) as usize,
            connected: VecDeque::new(),
            until: None,
            barred: None,
        }
    }

    fn roll(&mut self, now: Instant) {
        if now.duration_since(self.began) >= self.period {
            self.began = now;
            self.spent = 0;
        }
        if self.until.is_some_and(|until| until <= now) {
            self.until = None;
        }
    }

    /// Whether a request of this weight may be asked now. One heavier than the whole share may be
    /// asked at the beginning of a period.
    pub(super) fn admits(&mut self, weight: u32, now: Instant) -> bool {
        self.roll(now);
        self.until.is_none() && (self.spent == 0 || self.spent + u64::from(weight) <= self.weight)
    }

    /// A request was asked; `used` is the venue's own count, where it told one.
    pub(super) fn spend(&mut self, weight: u32, used: Option<u64>, now: Instant) {
        self.roll(now);
        self.spent += u64::from(weight);
        if used.is_some_and(|used| used.saturating_mul(100) > self.whole * FULL) {
            // Others behind this address, or we, are close to the limit: wait for the next period.
            self.until = Some(self.began + self.period);
        }
    }

    /// The venue refused: nothing is asked until it has passed. Answers how long that is.
    pub(super) fn refused(
        &mut self,
        status: u16,
        retry_after: Option<Duration>,
        now: Instant,
    ) -> Duration {
        let least = if status == 429 { REFUSED } else { BANNED };
        let wait = retry_after.unwrap_or(least).clamp(WAIT_LEAST, WAIT_MOST);
        self.until = Some(self.until.map_or(now + wait, |until| until.max(now + wait)));
        wait
    }

    /// The venue refused a connection because of who asks: none is made, and nothing asked, until it has passed.
    /// Answers how long that is.
    pub(super) fn turned_away(
        &mut self,
        status: u16,
        retry_after: Option<Duration>,
        now: Instant,
    ) -> Duration {
        let wait = self.refused(status, retry_after, now);
        self.barred = Some(
            self.barred
                .map_or(now + wait, |until| until.max(now + wait)),
        );
        wait
    }

    /// Whether a connection may be made now; notes it.
    pub(super) fn connect(&mut self, now: Instant) -> bool {
        if self.barred.is_some_and(|until| now < until) {
            return false;
        }
        while self
            .connected
            .front()
            .is_some_and(|at| now.duration_since(*at) >= Duration::from_secs(60))
        {
            self.connected.pop_front();
        }
        let free = self.connected.len() < self.connects;
        if free {
            self.connected.push_back(now);
        }
        free
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::by_name;

    fn budget(share: u32, now: Instant) -> Budget {
        Budget::new(by_name("bybit").unwrap(), share, now)
    }

    #[test]
    fn a_share_is_spent_and_comes_back_with_the_period() {
        let now = Instant::now();
        let mut budget = budget(10, now);
        let mut asked = 0;
        while budget.admits(10, now) {
            budget.spend(10, None, now);
            asked += 10;
        }
        assert_eq!(asked, budget.weight);
        assert!(budget.admits(10, now + budget.period));
    }

    #[test]
    fn the_venue_s_own_count_wins() {
        let now = Instant::now();
        let mut budget = budget(100, now);
        budget.spend(1, Some(budget.whole * 9 / 10), now);
        assert!(!budget.admits(1, now));
        assert!(budget.admits(1, now + budget.period));
    }

    #[test]
    fn a_refusal_stops_everything_until_it_has_passed() {
        let now = Instant::now();
        let mut budget = budget(100, now);
        let wait = budget.refused(429, Some(Duration::from_secs(7)), now);
        assert_eq!(wait, Duration::from_secs(7));
        assert!(!budget.admits(1, now + Duration::from_secs(6)));
        assert!(budget.admits(1, now + Duration::from_secs(7)));
        assert_eq!(budget.refused(418, None, now), BANNED);
    }

    #[test]
    fn a_connection_that_was_turned_away_stops_the_others_of_its_address() {
        let now = Instant::now();
        let mut budget = budget(100, now);
        budget.refused(429, Some(Duration::from_secs(7)), now);
        assert!(budget.connect(now), "REST's weight is another budget");
        let wait = budget.turned_away(429, Some(Duration::from_secs(9)), now);
        assert!(!budget.connect(now + wait / 2));
        assert!(!budget.admits(1, now + wait / 2));
        assert!(budget.connect(now + wait));
    }

    #[test]
    fn a_refusal_that_says_a_senseless_wait_is_kept_within_bounds() {
        let now = Instant::now();
        let mut budget = budget(100, now);
        let most = budget.refused(418, Some(Duration::from_secs(u64::MAX)), now);
        assert_eq!(most, WAIT_MOST);
        let least = budget.refused(429, Some(Duration::ZERO), now);
        assert_eq!(least, WAIT_LEAST);
        budget.spend(1, Some(u64::MAX), now);
        assert!(!budget.admits(1, now));
    }

    #[test]
    fn connections_are_counted_by_the_minute() {
        let now = Instant::now();
        let mut budget = budget(10, now);
        let made = (0..50).filter(|_| budget.connect(now)).count();
        assert_eq!(made, budget.connects);
        assert!(budget.connect(now + Duration::from_secs(60)));
    }
}
