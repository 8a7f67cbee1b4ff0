//! The process itself.

use tokio::sync::watch;

use super::client::WorldPart;
use crate::role::{Announcement, Part, RoleError};

impl Part for WorldPart {
    async fn run(
        self,
        _announce: impl FnOnce(Announcement),
        _stop: watch::Receiver<bool>,
    ) -> Result<(), RoleError> {
        Err(RoleError::Configuration(
            "a world cannot be started yet".to_owned(),
        ))
    }
}
