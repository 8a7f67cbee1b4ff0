//! An MCP server that runs already: its URL, and what every request to it needs.

use std::net::{IpAddr, SocketAddr};

use super::fields::Fields;
use super::reader::Reader;
use crate::grammar::target;
use crate::plan::{Endpoint, HeaderValue, Secret, TlsOptions, Url};
use crate::text::tree::{Item, Node};

pub(crate) fn endpoint(fields: &Fields<'_>, url: &Item) -> Endpoint {
    let reader = fields.reader;
    let url = read_url(reader, url).unwrap_or(Url {
        tls: false,
        host: "localhost".to_owned(),
        port: 80,
        path: String::new(),
    });
    Endpoint {
        headers: fields
            .get("headers")
            .map_or_else(Vec::new, |item| headers(reader, item)),
        bearer: fields.get("bearer").and_then(|item| secret(reader, item)),
        tls: fields
            .get("tls")
            .map_or_else(TlsOptions::default, |item| tls(reader, item, &url)),
        allow_hosts: fields
            .get("allow_host")
            .map_or_else(Vec::new, |item| hosts(reader, item)),
        resolver: fields
            .get("resolver")
            .and_then(|item| resolver(reader, item)),
        url,
    }
}

/// `http://host:port/path`, with the port of the scheme where none is written.
pub(crate) fn read_url(reader: &Reader<'_>, item: &Item) -> Option<Url> {
    let text = reader.scalar(item, "a URL")?;
    let url = Url::parse(text);
    if url.is_none() {
        reader.problem(
            item.place,
            format!("`{text}` is no URL of an MCP endpoint"),
            "write http://host:port, https://host or https://host/path, without user, query and fragment",
        );
    }
    url
}

impl Url {
    /// Reads `http://host:port/path`; the port and the path can be left out. User, query and fragment cannot
    /// be there.
    pub fn parse(text: &str) -> Option<Url> {
        let (scheme, rest) = text.split_once("://")?;
        let tls = match scheme {
            "http" => false,
            "https" => true,
            _ => return None,
        };
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        let odd = |c: char| {
            c.is_whitespace() || c.is_control() || matches!(c, '@' | '?' | '#' | '"' | '\\')
        };
        if rest.contains(odd) {
            return None;
        }
        let default = if tls { 443 } else { 80 };
        let (host, port) = match authority.strip_prefix('[') {
            Some(inside) => {
                let (host, after) = inside.split_once(']')?;
                host.parse::<std::net::Ipv6Addr>().ok()?;
                (
                    host,
                    after.strip_prefix(':').or(after.is_empty().then_some("")),
                )
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, Some("")),
            },
        };
        let port = match port? {
            "" if authority.ends_with(':') => return None,
            "" => default,
            digits => digits.parse().ok().filter(|port| *port > 0)?,
        };
        let path = if path == "/" { "" } else { path };
        (is_host(host) || authority.starts_with('[')).then(|| Url {
            tls,
            host: host.to_owned(),
            port,
            path: path.to_owned(),
        })
    }
}

fn is_host(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 253
        && text.split('.').all(|label| {
            !label.is_empty()
                && label.len() <= 63
                && label
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
        })
}

fn headers(reader: &Reader<'_>, item: &Item) -> Vec<(String, HeaderValue)> {
    let mut found = Vec::new();
    for (key, item) in reader.named(item, "a map of headers").unwrap_or_default() {
        let token = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        if key.text.is_empty() || !key.text.chars().all(token) {
            reader.problem(
                key.place,
                format!("`{}` is no name of a header", key.text),
                "header names are letters, digits and dashes",
            );
        }
        if let Some(owner) = owned_header(&key.text) {
            reader.problem(
                key.place,
                format!("firedrill sets `{}` itself", key.text),
                owner,
            );
        }
        let value = match &item.node {
            Node::Map(_) => secret(reader, item).map(HeaderValue::Secret),
            Node::Scalar(_) if is_credential(&key.text) => {
                secret(reader, item).map(HeaderValue::Secret)
            }
            Node::Scalar(_) | Node::List(_) => header_text(reader, item).map(HeaderValue::Text),
        };
        found.extend(value.map(|value| (key.text.clone(), value)));
    }
    found
}

/// Headers that are not the scenario's to set, and what to do instead.
fn owned_header(name: &str) -> Option<&'static str> {
    match name.to_ascii_lowercase().as_str() {
        "host" => Some("the host comes from the URL; for TLS see `tls: { server_name: ... }`"),
        "content-length" | "content-type" | "accept" | "connection" | "transfer-encoding" => {
            Some("leave it out")
        }
        "mcp-session-id" | "mcp-protocol-version" => {
            Some("leave it out; see `profile: { protocol: ... }`")
        }
        _ => None,
    }
}

/// What such a header says is always a secret, and a text would stand in the recording.
fn is_credential(name: &str) -> bool {
    ["authorization", "proxy-authorization", "cookie"]
        .iter()
        .any(|own| name.eq_ignore_ascii_case(own))
}

fn header_text(reader: &Reader<'_>, item: &Item) -> Option<String> {
    let text = reader.scalar(item, "the value of a header")?;
    if text.contains(|c: char| c.is_control()) || !text.is_ascii() {
        reader.problem(
            item.place,
            "the value of a header holds characters that cannot be sent",
            "use printable ASCII in one line",
        );
        return None;
    }
    Some(text.to_owned())
}

fn secret(reader: &Reader<'_>, item: &Item) -> Option<Secret> {
    if let Node::Scalar(scalar) = &item.node
        && !scalar.broken
    {
        reader.problem(
            item.place,
            "a secret is a reference, not a value",
            "write { env: NAME } or { file: PATH }",
        );
        return None;
    }
    let fields = Fields::open(reader, item, &target::SECRET)?;
    match fields.get("env") {
        Some(item) => reader.text(item).map(Secret::Env),
        None => fields.text("file").map(|path| Secret::File(path.into())),
    }
}

fn tls(reader: &Reader<'_>, item: &Item, url: &Url) -> TlsOptions {
    if !matches!(item.node, Node::Map(_)) {
        if reader.flag(item).is_some_and(|wanted| wanted != url.tls) {
            reader.problem(
                item.place,
                "whether an endpoint speaks TLS is said by its URL",
                "write https:// or http://",
            );
        }
        return TlsOptions::default();
    }
    let Some(fields) = Fields::open(reader, item, &target::TLS) else {
        return TlsOptions::default();
    };
    if !url.tls {
        reader.problem(
            item.place,
            "the endpoint's URL is not https",
            "write endpoint: https://...",
        );
    }
    let file = |key| fields.text(key).map(Into::into);
    let client = match (file("client_cert"), file("client_key")) {
        (Some(cert), Some(key)) => Some((cert, key)),
        (None, None) => None,
        (Some(_), None) | (None, Some(_)) => {
            reader.problem(
                item.place,
                "a client certificate needs its key, and a key its certificate",
                "write both client_cert and client_key",
            );
            None
        }
    };
    TlsOptions {
        ca: file("ca"),
        client,
        server_name: fields.text("server_name"),
    }
}

fn hosts(reader: &Reader<'_>, item: &Item) -> Vec<String> {
    let items = match &item.node {
        Node::List(items) => items.as_slice(),
        Node::Scalar(_) | Node::Map(_) => std::slice::from_ref(item),
    };
    items
        .iter()
        .filter_map(|item| {
            let text = reader.scalar(item, "the name of a host")?;
            if !is_host(text) && text.parse::<IpAddr>().is_err() {
                reader.problem(
                    item.place,
                    format!("`{text}` is no host"),
                    "write a name or an address, without scheme, port and path",
                );
                return None;
            }
            Some(text.to_owned())
        })
        .collect()
}

fn resolver(reader: &Reader<'_>, item: &Item) -> Option<SocketAddr> {
    let text = reader.scalar(item, "an address")?;
    let address = text.parse::<SocketAddr>().ok().or_else(|| {
        text.parse::<IpAddr>()
            .ok()
            .map(|ip| SocketAddr::new(ip, 53))
    });
    if address.is_none() {
        reader.problem(
            item.place,
            format!("`{text}` is no address of a name server"),
            "write 10.0.0.2 or 10.0.0.2:53",
        );
    }
    address
}
