//! A fault's victims, pinned as the target is now, and held until they are given back.

use std::collections::BTreeSet;
use std::time::Duration;

use firedrill_erlmcp::world::{View, WorldError};
use firedrill_scenarios::plan::FaultKind;

use super::hands::Hands;
use super::script::Take;
use crate::clock::Nanos;
use crate::fault::hostile::Attack;
use crate::fault::pinned::{Pinned, QUARANTINE};
use crate::fault::resolve::{ResolveError, Scene, resolve, stream, witness};

/// How long a fault waits for one that is being undone and holds what it would take.
const UNDOING: Nanos = 30_000_000_000;
/// The same for one that is not being undone yet: its end and this one's beginning may be due at the same time.
const CROSSING: Nanos = 2_000_000_000;
const AGAIN: Duration = Duration::from_millis(20);

/// A fault pinned in the target as it was then.
struct Found {
    pinned: Pinned,
    witness: Option<Attack>,
    view: Option<View>,
}

/// Why the fault cannot be begun now.
struct Refused {
    why: String,
    /// The fault that holds what it would take.
    by: Option<String>,
}

impl From<ResolveError> for Refused {
    fn from(error: ResolveError) -> Refused {
        Refused {
            why: error.to_string(),
            by: None,
        }
    }
}

impl From<WorldError> for Refused {
    fn from(error: WorldError) -> Refused {
        Refused {
            why: error.to_string(),
            by: None,
        }
    }
}

impl Hands {
    /// Pins the fault's victims, and holds what it will give back. A fault that holds it and is just being undone, or is
    /// about to be, is waited for.
    pub(super) async fn pin(
        &self,
        take: Take,
        kind: &FaultKind,
    ) -> Result<(Pinned, Option<Attack>), String> {
        let began = self.clock.now();
        loop {
            let refused = match self.hold(take, kind) {
                Ok(pinned) => return Ok(pinned),
                Err(refused) => refused,
            };
            let own = BTreeSet::from([self.id(take)]);
            self.in_force().release(&own);
            if self.clock.now().saturating_sub(began) >= self.patience(&refused) {
                return Err(refused.why);
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Returns when nothing is being undone any more, for as long as that may take: a site is led back to when it stands.
    pub(super) async fn until_undone(&self) {
        let began = self.clock.now();
        let late = || self.clock.now().saturating_sub(began) >= UNDOING;
        while self.in_force().any_ending() && !late() && !*self.ending.borrow() {
            tokio::time::sleep(AGAIN).await;
        }
    }

    fn patience(&self, refused: &Refused) -> Nanos {
        let in_force = self.in_force();
        match &refused.by {
            _ if in_force.is_empty() || *self.ending.borrow() => 0,
            Some(by) if in_force.is_ending(by) => UNDOING,
            Some(_) | None => CROSSING,
        }
    }

    /// Twice, since what is pinned first may be the doing of a fault that is undone meanwhile. What is held already is
    /// nobody else's doing when it is looked at again.
    fn hold(&self, take: Take, kind: &FaultKind) -> Result<(Pinned, Option<Attack>), Refused> {
        self.claim(&self.resolve(take, kind)?)?;
        let found = self.resolve(take, kind)?;
        self.claim(&found)?;
        Ok((found.pinned, found.witness))
    }

    fn claim(&self, found: &Found) -> Result<(), Refused> {
        let mut in_force = self.in_force();
        let claimed = in_force.claim(&found.pinned, &self.plan, found.view.as_ref());
        claimed.map_err(|held| Refused {
            why: held.to_string(),
            by: Some(held.by().to_owned()),
        })
    }

    /// The fault's victims as the target is now; and who is to hear how it is refused, where others are.
    fn resolve(&self, take: Take, kind: &FaultKind) -> Result<Found, Refused> {
        let view = match &self.eyes.world {
            Some(world) => Some(world.view()?),
            None => None,
        };
        if let Some(director) = view.as_ref().and_then(|view| view.director.as_ref()) {
            self.note_served(director);
        }
        let scene = Scene {
            plan: &self.plan,
            view: view.as_ref(),
            quarantine: self.run.join(QUARANTINE),
            held: self.in_force().held_by_others(&self.id(take)),
            clients: self.reading.as_ref().map(|own| &*own.clients),
        };
        let mut random = stream(self.seed, take.action, take.number);
        let id = self.id(take);
        let pinned = resolve(&scene, &id, kind, &mut random)?;
        let witness = witness(&scene, &id, kind, &mut random);
        Ok(Found {
            pinned,
            witness,
            view,
        })
    }
}
