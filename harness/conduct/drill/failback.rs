//! The step that leads clients back to a site, until one of them is answered there: whatever else is broken beside it,
//! unless that takes the site. Pure.

use crate::clock::Nanos;

pub struct Failback {
    pub id: String,
    to: usize,
    began: Nanos,
    /// When the site was taken again. What it answered before is told later.
    taken: Option<Nanos>,
}

impl Failback {
    pub fn begins(id: &str, to: usize, at: Nanos) -> Failback {
        Failback {
            id: id.to_owned(),
            to,
            began: at,
            taken: None,
        }
    }

    /// A fault that takes this site begins.
    pub fn is_taken(&mut self, site: usize, at: Nanos) {
        if site == self.to {
            self.taken.get_or_insert(at);
        }
    }

    /// Whether an answer of this site is what clients were led back for.
    pub fn is_answered(&self, site: u16, at: Nanos) -> bool {
        usize::from(site) == self.to
            && at >= self.began
            && self.taken.is_none_or(|taken| at < taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_site_that_is_led_back_to_answers_and_not_when_it_was_taken_again() {
        let mut own = Failback::begins("home", 0, 10);
        assert!(own.is_answered(0, 10) && own.is_answered(0, 90));
        assert!(!own.is_answered(0, 9) && !own.is_answered(1, 20));
        // Another site than the one that is led back to.
        own.is_taken(1, 30);
        assert!(own.is_answered(0, 90));
        own.is_taken(0, 50);
        own.is_taken(0, 70);
        assert!(
            own.is_answered(0, 49),
            "what was answered before is told later"
        );
        assert!(!own.is_answered(0, 50) && !own.is_answered(0, 60));
    }
}
