//! What `sslmode` means, against servers with TLS and without.

use escalator::ledger::{Error, Postgres};
use secrecy::SecretString;
use url::Url;

use crate::support::database::{Database, Server};

fn with(url: &Url, mode: &str) -> SecretString {
    let mut url = url.clone();
    url.set_query(Some(&format!("sslmode={mode}")));
    SecretString::from(url.as_str())
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_server_has_no_tls_only_those_modes_log_in_that_do_not_insist() {
    let database = Database::new().await;
    for mode in ["disable", "prefer"] {
        let found = Postgres::inspect(&with(&database.url, mode)).await;
        assert!(found.is_ok(), "{mode}: {found:?}");
    }
    for mode in ["require", "verify-ca", "verify-full"] {
        let found = Postgres::inspect(&with(&database.url, mode)).await;
        assert!(
            matches!(&found, Err(Error::Open(text)) if text.contains("does not support TLS")),
            "{mode}: {found:?}"
        );
        assert!(Postgres::open(&with(&database.url, mode)).await.is_err());
    }
}

/// A server with a certificate that nobody on this machine has signed, and that takes plain text from nobody.
async fn server_with_tls() -> Server {
    let server = Server::start().await;
    let names = vec!["127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    server
        .with_tls(&made.cert.pem(), &made.signing_key.serialize_pem())
        .await;
    server
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_server_has_tls_it_is_used_and_who_verifies_believes_no_stranger() {
    let server = server_with_tls().await;
    let database = Database::on(&server).await;
    for mode in ["prefer", "require"] {
        let ledger = Postgres::open(&with(&database.url, mode)).await.unwrap();
        escalator::ledger::Ledger::ping(&ledger).await.unwrap();
        let client = database.client().await;
        let encrypted = "SELECT count(*), bool_and(s.ssl) FROM pg_stat_activity a JOIN pg_stat_ssl s USING (pid)
                         WHERE a.usename = $1";
        let row = client.query_one(encrypted, &[&database.name()]).await;
        let row = row.unwrap();
        assert!(row.get::<_, i64>(0) > 0 && row.get::<_, bool>(1), "{mode}");
    }
    for mode in ["verify-ca", "verify-full"] {
        let found = Postgres::inspect(&with(&database.url, mode)).await;
        assert!(
            matches!(&found, Err(Error::Open(text)) if text.contains("certificate")),
            "{mode}: {found:?}"
        );
    }
}
