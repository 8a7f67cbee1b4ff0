//! The only file that reads the time. Everything else is given nanoseconds since the run's start.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, Timespec};

const NANOS: u64 = 1_000_000_000;

/// Nanoseconds since the run's start, on the monotonic clock.
pub type Nanos = u64;

/// A monotonic clock whose zero is the run's start. Copies agree with each other.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: u64,
}

impl Clock {
    /// A clock whose zero is now.
    pub fn start() -> Clock {
        Clock {
            origin: monotonic(),
        }
    }

    /// A clock whose zero was so long ago, for tests.
    #[cfg(test)]
    pub fn before(long: Duration) -> Clock {
        Clock {
            origin: monotonic() - long.as_nanos() as u64,
        }
    }

    pub fn now(&self) -> Nanos {
        monotonic().saturating_sub(self.origin)
    }

    /// The instant on the machine's own monotonic clock, which other processes read as well.
    pub fn absolute_ns(&self, at: Nanos) -> u64 {
        self.origin.saturating_add(at)
    }

    /// An instant of the machine's monotonic clock, counted from the run's start.
    pub fn since_start(&self, absolute_ns: u64) -> Nanos {
        absolute_ns.saturating_sub(self.origin)
    }

    /// The instant as the kernel's absolute timers want it.
    pub fn absolute(&self, at: Nanos) -> Timespec {
        let nanos = self.origin.saturating_add(at);
        Timespec {
            tv_sec: (nanos / NANOS).cast_signed(),
            tv_nsec: (nanos % NANOS).cast_signed(),
        }
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "this is the file that reads the clock"
)]
fn monotonic() -> u64 {
    let now = rustix::time::clock_gettime(ClockId::Monotonic);
    now.tv_sec.cast_unsigned() * NANOS + now.tv_nsec.cast_unsigned()
}

/// Processor time of this process so far: of all its threads, and of those that have ended.
#[allow(
    clippy::disallowed_methods,
    reason = "this is the file that reads the clock"
)]
pub fn processor() -> Nanos {
    let used = rustix::time::clock_gettime(ClockId::ProcessCPUTime);
    used.tv_sec.cast_unsigned() * NANOS + used.tv_nsec.cast_unsigned()
}

/// Time since 1970 in UTC, for names of folders and for readers; never for measuring.
#[allow(
    clippy::disallowed_methods,
    reason = "this is the file that reads the clock"
)]
pub fn wall() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

/// A calendar instant in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Utc {
    pub year: u64,
    pub month: u64,
    pub day: u64,
    pub hour: u64,
    pub minute: u64,
    pub second: u64,
}

impl Utc {
    /// From seconds since 1970. Days to date after Howard Hinnant, "chrono-compatible low-level date algorithms".
    pub fn from_unix(seconds: u64) -> Utc {
        let (days, rest) = (seconds / 86_400, seconds % 86_400);
        let shifted = days + 719_468;
        let era = shifted / 146_097;
        let day_of_era = shifted % 146_097;
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let month = if month_from_march < 10 {
            month_from_march + 3
        } else {
            month_from_march - 9
        };
        Utc {
            year: year_of_era + era * 400 + u64::from(month <= 2),
            month,
            day: day_of_year - (153 * month_from_march + 2) / 5 + 1,
            hour: rest / 3_600,
            minute: rest / 60 % 60,
            second: rest % 60,
        }
    }

    /// `20261123T071500Z`
    pub fn compact(self) -> String {
        format!(
            "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
            self.year, self.month, self.day, self.hour, self.minute, self.second
        )
    }

    /// RFC 3339: `2026-11-23T07:15:00Z`
    pub fn rfc3339(self) -> String {
        format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
            self.year, self.month, self.day, self.hour, self.minute, self.second
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_become_dates() {
        assert_eq!(Utc::from_unix(0).rfc3339(), "1970-01-01T00:00:00Z");
        assert_eq!(
            Utc::from_unix(951_782_399).rfc3339(),
            "2000-02-28T23:59:59Z"
        );
        assert_eq!(
            Utc::from_unix(951_782_400).rfc3339(),
            "2000-02-29T00:00:00Z"
        );
        assert_eq!(Utc::from_unix(1_795_418_100).compact(), "20261123T071500Z");
    }
}
