//! What the director says about who may serve. A store that comes back asks before it takes a write, and goes on
//! asking, since a command that fences it may not have reached it.

use std::rc::Rc;
use std::time::Duration;

use super::Store;
use crate::ask;
use crate::director::Ownership;

const EVERY: Duration = Duration::from_millis(250);
const PATIENCE: Duration = Duration::from_millis(200);

pub(super) async fn run(store: Rc<Store>) {
    loop {
        tokio::time::sleep(EVERY).await;
        once(&store).await;
    }
}

pub(super) async fn once(store: &Store) {
    let Some(director) = store.config.director else {
        return;
    };
    let Ok(answer) = ask::get(director, "/owner", PATIENCE).await else {
        return;
    };
    let Ok(ownership) = serde_json::from_slice::<Ownership>(&answer) else {
        return;
    };
    let newer = ownership.epoch > store.committer.standing().epoch;
    let mine = ownership.owner == store.config.site;
    // Until it is fenced on the disk as well, nothing is certain.
    if newer && !mine && store.fence(ownership.epoch).await.is_err() {
        return;
    }
    store.certain.set(true);
}
