//! A virtual host of the broker under test for one test alone, and the management API around it.
//!
//! `AMQP_URL` and `RABBITMQ_MANAGEMENT_URL` say where the broker is; without them it is looked for where RabbitMQ
//! listens by default.

use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use lapin::options::{BasicGetOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::FieldTable;
use reqwest::{Client, Method, StatusCode};
use secrecy::SecretString;
use serde_json::{Value, json};
use url::Url;

use super::node::Node;

/// A virtual host; deleted, with everything in it, when dropped.
pub(crate) struct Vhost {
    /// Its name.
    pub(crate) name: String,
    /// The broker's address without user, password and virtual host: `127.0.0.1:5672`.
    pub(crate) address: String,
    user: String,
    password: String,
    api: Api,
}

/// One connection as the broker lists it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    /// What the client calls itself.
    pub(crate) connection_name: String,
    /// The negotiated heartbeat, in seconds.
    pub(crate) heartbeat: u64,
    id: String,
}

/// A connection of the test's own that takes messages out of queues.
pub(crate) struct Taker {
    channel: lapin::Channel,
    _connection: lapin::Connection,
}

#[derive(Clone)]
struct Api {
    client: Client,
    root: Url,
}

impl Vhost {
    /// Makes one.
    pub(crate) async fn new() -> Self {
        let amqp = setting("AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/%2f");
        let management = setting(
            "RABBITMQ_MANAGEMENT_URL",
            "http://guest:guest@127.0.0.1:15672",
        );
        Self::at(&amqp, management).await
    }

    /// Makes one on a node of the test's own.
    pub(crate) async fn on(node: &Node) -> Self {
        let url = |text: &str| Url::parse(text).unwrap();
        Self::at(&url(&node.amqp_url), url(&node.management_url)).await
    }

    async fn at(amqp: &Url, management: Url) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let vhost = Self {
            name: format!(
                "it-{}-{}-{}",
                std::process::id(),
                now.subsec_nanos(),
                COUNT.fetch_add(1, Ordering::Relaxed)
            ),
            address: format!(
                "{}:{}",
                amqp.host_str().unwrap(),
                amqp.port().unwrap_or(5672)
            ),
            user: amqp.username().to_owned(),
            password: amqp.password().unwrap_or_default().to_owned(),
            api: Api::new(management),
        };
        let path = ["vhosts", &vhost.name];
        vhost.api.call(Method::PUT, &path, None).await;
        let all = json!({"configure": ".*", "write": ".*", "read": ".*"});
        let path = ["permissions", &vhost.name, &vhost.user];
        vhost.api.call(Method::PUT, &path, Some(all)).await;
        vhost
    }

    /// Its address on the broker.
    pub(crate) fn url(&self) -> SecretString {
        self.url_as(&self.address, &self.user, &self.password)
    }

    /// Its address by way of another host, such as a proxy.
    pub(crate) fn url_by(&self, address: impl ToString) -> SecretString {
        self.url_as(&address.to_string(), &self.user, &self.password)
    }

    /// Its address with another user.
    pub(crate) fn url_as(&self, address: &str, user: &str, password: &str) -> SecretString {
        SecretString::from(format!("amqp://{user}:{password}@{address}/{}", self.name))
    }

    /// A connection of the test's own.
    pub(crate) async fn raw(&self) -> lapin::Connection {
        let url = secrecy::ExposeSecret::expose_secret(&self.url()).to_owned();
        lapin::Connection::connect(&url, lapin::ConnectionProperties::default())
            .await
            .unwrap()
    }

    /// Takes messages out of its queues.
    pub(crate) async fn taker(&self) -> Taker {
        let connection = self.raw().await;
        Taker {
            channel: connection.create_channel().await.unwrap(),
            _connection: connection,
        }
    }

    /// Makes a user with these rights in this virtual host.
    pub(crate) async fn user(&self, name: &str, password: &str, configure: &str) {
        self.user_with(name, password, [configure, ".*", ".*"])
            .await;
    }

    /// Makes a user with these rights to configure, write and read in this virtual host.
    pub(crate) async fn user_with(&self, name: &str, password: &str, rights: [&str; 3]) {
        let user = json!({"password": password, "tags": ""});
        self.api
            .call(Method::PUT, &["users", name], Some(user))
            .await;
        let [configure, write, read] = rights;
        let rights = json!({"configure": configure, "write": write, "read": read});
        let path = ["permissions", &self.name, name];
        self.api.call(Method::PUT, &path, Some(rights)).await;
    }

    /// Deletes a user.
    pub(crate) async fn delete_user(&self, name: &str) {
        self.api.call(Method::DELETE, &["users", name], None).await;
    }

    /// Sets a policy for the queues that match.
    pub(crate) async fn policy(&self, pattern: &str, definition: Value) {
        let policy = json!({"pattern": pattern, "definition": definition, "apply-to": "queues"});
        let path = ["policies", &self.name, "of-the-test"];
        self.api.call(Method::PUT, &path, Some(policy)).await;
    }

    /// The connections that the broker lists.
    pub(crate) async fn connections(&self) -> Vec<Listed> {
        let path = ["vhosts", &self.name, "connections"];
        let list = self.api.call(Method::GET, &path, None).await;
        let list = list.as_array().unwrap().iter();
        list.filter_map(|one| {
            Some(Listed {
                connection_name: one["client_properties"]["connection_name"]
                    .as_str()?
                    .to_owned(),
                heartbeat: one["timeout"].as_u64()?,
                id: one["name"].as_str()?.to_owned(),
            })
        })
        .collect()
    }

    /// Has the broker close a connection.
    pub(crate) async fn close(&self, connection: &Listed) {
        let path = ["connections", &connection.id];
        self.api.call(Method::DELETE, &path, None).await;
    }

    /// The arguments of a queue, as the broker has them.
    pub(crate) async fn arguments(&self, queue: &str) -> Value {
        let path = ["queues", &self.name, queue];
        self.api.call(Method::GET, &path, None).await["arguments"].clone()
    }
}

impl Taker {
    /// Everything that waits in the queue, gone from it.
    pub(crate) async fn take(&self, queue: &str) -> Vec<Vec<u8>> {
        let options = BasicGetOptions { no_ack: true };
        let mut bodies = Vec::new();
        while let Some(message) = self.channel.basic_get(queue.into(), options).await.unwrap() {
            bodies.push(message.delivery.data);
        }
        bodies
    }

    /// The same, read as JSON.
    pub(crate) async fn take_json(&self, queue: &str) -> Vec<Value> {
        let bodies = self.take(queue).await.into_iter();
        bodies
            .map(|body| serde_json::from_slice(&body).unwrap())
            .collect()
    }

    /// How many messages wait in the queue, and how many consumers it has.
    pub(crate) async fn depth(&self, queue: &str) -> (u32, u32) {
        let options = QueueDeclareOptions {
            passive: true,
            ..QueueDeclareOptions::default()
        };
        let asking = self
            .channel
            .queue_declare(queue.into(), options, FieldTable::default());
        let queue = asking.await.unwrap();
        (queue.message_count(), queue.consumer_count())
    }

    /// Deletes the queue, with whatever is in it.
    pub(crate) async fn delete(&self, queue: &str) {
        let options = QueueDeleteOptions::default();
        self.channel
            .queue_delete(queue.into(), options)
            .await
            .unwrap();
    }
}

impl Drop for Vhost {
    fn drop(&mut self) {
        let (api, name) = (self.api.clone(), self.name.clone());
        // A drop cannot wait, and after a failed test there may be no runtime left to leave it to.
        let deleting = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                // A client of its own: pooled connections belong to the other runtime.
                let api = Api::new(api.root);
                api.call(Method::DELETE, &["vhosts", &name], None).await;
            });
        });
        if deleting.join().is_err() && !std::thread::panicking() {
            panic!("the virtual host {} was left behind", self.name);
        }
    }
}

impl Api {
    fn new(root: Url) -> Self {
        Self {
            client: client(),
            root,
        }
    }

    async fn call(&self, method: Method, path: &[&str], body: Option<Value>) -> Value {
        let mut url = self.root.clone();
        url.set_username("").unwrap();
        url.set_password(None).unwrap();
        url.path_segments_mut()
            .unwrap()
            .pop_if_empty()
            .push("api")
            .extend(path);
        let mut request = self.client.request(method, url).basic_auth(
            self.root.username(),
            Some(self.root.password().unwrap_or_default()),
        );
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.expect("the management API answers");
        let status = answer.status();
        // What is to be deleted may be gone already.
        assert!(
            status.is_success() || status == StatusCode::NOT_FOUND,
            "{path:?}: {status}"
        );
        answer.json().await.unwrap_or(Value::Null)
    }
}

/// For the servers around a test.
pub(crate) fn client() -> Client {
    static PROVIDER: Once = Once::new();
    // reqwest asks for one even when it only talks plain HTTP. It fails if somebody else installed one: as good.
    PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
    let client = Client::builder().timeout(Duration::from_secs(30));
    client.build().unwrap()
}

fn setting(name: &str, default: &str) -> Url {
    let value = std::env::var(name).unwrap_or_else(|_| default.to_owned());
    Url::parse(&value).unwrap_or_else(|_| panic!("{name} is not a URL"))
}

/// Polls until it is as wanted. The broker's own lists announce no change, so there is no event to wait for.
pub(crate) async fn eventually<T>(what: &str, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let polling = async {
        loop {
            if let Some(found) = probe().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), polling)
        .await
        .unwrap_or_else(|_| panic!("it never came about: {what}"))
}
