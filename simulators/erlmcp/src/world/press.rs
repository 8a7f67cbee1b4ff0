//! Resources used up, certificates that expire, clocks that jump: and all of it given back.

use serde::Deserialize;
use serde_json::json;

use super::ground::Ground;
use super::pods::command;
use super::request::Press;
use super::roles::tell;
use crate::layout::PartConfig;
use crate::role::Role;
use crate::site::TlsFiles;

#[derive(Deserialize)]
struct Held {
    held: u64,
}

pub(super) async fn pod(
    ground: &Ground,
    site: &str,
    name: &str,
    press: Press,
) -> Result<String, String> {
    let Some(answer) = command(ground, site, name, "/control/press", &press).await? else {
        return match press {
            _ if press.is_none() => Ok(format!("`{name}` does not run, and has forgotten it")),
            // What a pod without a bound does.
            Press::Memory(_) => Ok(format!("`{name}` had not so much memory, and has ended")),
            Press::Thread(_) | Press::Work(_) => Err(format!("`{name}` does not run")),
        };
    };
    Ok(match press {
        Press::Thread(Some(busy)) => {
            let share = busy.share * 100.0;
            format!("the thread of `{name}` is busy for {share:.0} % of the time")
        }
        Press::Thread(None) => format!("the thread of `{name}` is free"),
        Press::Memory(_) => {
            let held: Held = serde_json::from_slice(&answer).map_err(|error| error.to_string())?;
            format!("`{name}` holds {} bytes for nobody", held.held)
        }
        Press::Work(true) => format!("`{name}` has work that does not end"),
        Press::Work(false) => format!("`{name}` has no work of ours"),
    })
}

/// A door that does not run shows it when it is started.
pub(super) async fn certificate(
    ground: &Ground,
    site: &str,
    expired: bool,
) -> Result<String, String> {
    let at = ground.site(site)?;
    let good = ground.sites[at].config.tls.as_ref();
    let good = good.ok_or_else(|| format!("`{site}` speaks no TLS"))?;
    let shown = if expired {
        let cert_pem = good.expired_pem.clone();
        TlsFiles {
            cert_pem: cert_pem.ok_or_else(|| format!("`{site}` has no expired certificate"))?,
            ..good.clone()
        }
    } else {
        good.clone()
    };
    for unit in ground.units(|unit| unit.site == Some(at) && unit.role == Role::Front) {
        if let PartConfig::Front(front) = &mut *unit.part.borrow_mut() {
            front.tls = Some(shown.clone());
        }
        unit.settled().await;
        if unit.pid().is_some() {
            tell(ground.sites[at].front_control, "/control/tls", &shown).await?;
        }
    }
    let word = if expired { "has expired" } else { "is valid" };
    Ok(format!("the certificate of `{site}` {word}"))
}

pub(super) async fn clock(ground: &Ground, ahead_ms: i64) -> Result<String, String> {
    let director = ground.director.ok_or("there is no director")?;
    let told = tell(
        director.commands,
        "/clock",
        &json!({ "ahead_ms": ahead_ms }),
    )
    .await;
    let runs = ground
        .units(|unit| unit.role == Role::Director)
        .iter()
        .any(|unit| unit.pid().is_some());
    match told {
        Ok(_) => Ok(format!("the director's clock is {ahead_ms} ms ahead")),
        // One that is started again has the machine's clock.
        Err(_) if !runs && ahead_ms == 0 => Ok("the director does not run".to_owned()),
        Err(reason) => Err(reason),
    }
}
