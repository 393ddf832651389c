//! Publishing to a real RabbitMQ.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use clock::Clock;
use prometheus::{Encoder, Registry, TextEncoder};
use secrecy::SecretString;
use zohook::{
    deliver::{
        AmqpSettings, Backlog, Clients, DeliverError, Delivered, Destination, Exchange,
        ExchangeKind, Kind, Metrics, OnFull, Queue, QueueKind, RetrySchedule, Settings,
    },
    event::{Delivery, DestinationName, QuarantineReason},
};

use crate::support::{
    broker::Broker,
    deliveries::{delivery, id},
    proxy::{Mode, Proxy},
    router::until,
};

/// One exchange and one quorum queue bound with `Leads.#`.
fn settings(broker: &Broker, url: &str) -> AmqpSettings {
    AmqpSettings {
        url: vec![SecretString::from(url)],
        exchange: Exchange {
            name: broker.name("crm"),
            kind: ExchangeKind::Topic,
            declare: true,
        },
        queues: vec![Queue {
            name: broker.name("leads"),
            bind: vec!["Leads.#".to_owned()],
            kind: QueueKind::Quorum,
            declare: true,
            length_max: None,
            delivery_limit: None,
            dead_letter_exchange: None,
        }],
        timeout: Duration::from_secs(10),
    }
}

fn destination_with(amqp: AmqpSettings, registry: &Registry) -> Destination {
    let settings = Settings {
        kind: Kind::Amqp(amqp),
        retry: RetrySchedule(vec![]),
        rate: None,
        backlog: Backlog {
            max: 1_000_000,
            on_full: OnFull::Refuse,
        },
    };
    let metrics = Metrics::register(registry).unwrap();
    Destination::new(
        &DestinationName::new("queue"),
        &settings,
        &Clock::real(),
        &metrics,
        &Clients::new(),
    )
    .unwrap()
}

fn destination(amqp: AmqpSettings) -> Destination {
    destination_with(amqp, &Registry::new())
}

async fn publish(destination: &Destination, routing_key: &str) -> Delivered {
    destination
        .deliver(&[delivery(1, routing_key)])
        .await
        .remove(0)
}

fn is_down(result: &Delivered) -> bool {
    matches!(result, Err(DeliverError::Destination { down: true, .. }))
}

async fn clean(broker: &Broker) {
    broker
        .clean(&[&broker.name("crm")], &[&broker.name("leads")])
        .await;
}

#[tokio::test]
async fn a_message_is_a_persistent_binary_event() {
    let broker = Broker::connect().await;
    let destination = destination(settings(&broker, broker.url.as_str()));
    let sent = delivery(7, "Leads.update");
    assert_eq!(
        destination.deliver(std::slice::from_ref(&sent)).await,
        [Ok(None)]
    );
    let got = broker.take(&broker.name("leads"), 1).await.remove(0);
    assert_eq!(got.id, id(&sent));
    assert_eq!(got.routing_key, "Leads.update");
    assert_eq!(got.body, sent.planned.message.data);
    let properties = &got.properties;
    assert_eq!(*properties.delivery_mode(), Some(2));
    assert_eq!(*properties.timestamp(), Some(1_795_341_600));
    assert_eq!(
        properties.content_type().clone().unwrap().as_str(),
        "application/json"
    );
    assert_eq!(
        properties.kind().clone().unwrap().as_str(),
        "com.zoho.crm.Leads.updated"
    );
    assert_eq!(properties.app_id().clone().unwrap().as_str(), "zohook");
    let mut headers = got.headers;
    assert_eq!(headers.remove("traceparent").unwrap().len(), 55);
    let expected: BTreeMap<_, _> = sent
        .planned
        .message
        .attributes
        .pairs()
        .into_iter()
        .map(|(name, value)| (format!("ce-{name}"), value.to_owned()))
        .collect();
    assert_eq!(headers, expected);
    assert_eq!(headers["ce-specversion"], "1.0");
    destination.close().await;
    clean(&broker).await;
}

/// lapin says that *a* message was returned, not which: paired wrongly, it is a silent loss.
#[tokio::test]
async fn a_fifth_unroutable_in_windows_of_200_none_is_paired_wrongly() {
    let broker = Broker::connect().await;
    let destination = destination(settings(&broker, broker.url.as_str()));
    let all: Vec<Delivery> = (0..10_000)
        .map(|number| match number % 5 {
            3 => delivery(number, &format!("nobody.{number}")),
            _ => delivery(number, "Leads.update"),
        })
        .collect();
    let windows: Vec<_> = all.chunks(destination.capacity().window).collect();
    let mut results = vec![];
    for lanes in windows.chunks(destination.capacity().lanes) {
        let sent = lanes.iter().map(|window| destination.deliver(window));
        results.extend(futures_util::future::join_all(sent).await.concat());
    }
    let mut expected = BTreeSet::new();
    for (sent, result) in all.iter().zip(&results) {
        let routable = sent.planned.message.routing_key.as_deref() == Some("Leads.update");
        if routable {
            assert_eq!(*result, Ok(None));
            expected.insert(id(sent));
        } else {
            assert!(
                matches!(
                    result,
                    Err(DeliverError::Message {
                        reason: QuarantineReason::Unroutable,
                        attempts_max: None,
                        ..
                    })
                ),
                "{result:?}"
            );
        }
    }
    let got = broker.take(&broker.name("leads"), 8_000).await;
    assert_eq!(
        got.iter().map(|it| it.id.clone()).collect::<BTreeSet<_>>(),
        expected
    );
    destination.close().await;
    clean(&broker).await;
}

#[tokio::test]
async fn five_records_returned_in_a_row_for_one_key_blame_the_destination() {
    let broker = Broker::connect().await;
    let destination = destination(settings(&broker, broker.url.as_str()));
    let window: Vec<_> = (0..7).map(|number| delivery(number, "nobody")).collect();
    let results = destination.deliver(&window).await;
    let messages = results
        .iter()
        .filter(|it| matches!(it, Err(DeliverError::Message { .. })));
    let blamed = results
        .iter()
        .filter(|it| matches!(it, Err(DeliverError::Destination { down: false, .. })));
    assert_eq!((messages.count(), blamed.count()), (4, 3));
    assert!(
        !format!("{results:?}").contains("nobody"),
        "a routing key may be record content: {results:?}"
    );
    assert_eq!(
        publish(&destination, "Leads.update").await,
        Ok(None),
        "other keys go on"
    );
    destination.close().await;
    clean(&broker).await;
}

#[tokio::test]
async fn what_a_cut_connection_left_unconfirmed_arrives_on_the_repeat_with_the_same_id() {
    let broker = Broker::connect().await;
    let proxy = Proxy::start(broker.address().await).await;
    let registry = Registry::new();
    let destination =
        destination_with(settings(&broker, &broker.url_via(proxy.address)), &registry);
    let all: Vec<_> = (0..4_000)
        .map(|number| delivery(number, "Leads.update"))
        .collect();
    let windows: Vec<_> = all.chunks(200).collect();
    let mut confirmed = vec![];
    let mut again = vec![];
    for (round, lanes) in windows.chunks(4).enumerate() {
        let sent =
            futures_util::future::join_all(lanes.iter().map(|window| destination.deliver(window)));
        let cut = async {
            if round % 2 == 1 {
                proxy.passed(100_000).await;
                proxy.set(Mode::Cut);
            }
        };
        let (results, ()) = tokio::join!(sent, cut);
        proxy.set(Mode::Pass);
        for (sent, result) in lanes.concat().into_iter().zip(results.concat()) {
            match result {
                Ok(_) => confirmed.push(id(&sent)),
                Err(DeliverError::Destination { down: true, .. }) => again.push(sent),
                other => panic!("{other:?}"),
            }
        }
    }
    assert!(!again.is_empty(), "the proxy cut nothing");
    let mut rounds = 0;
    while !again.is_empty() {
        let mut still = vec![];
        for window in again.chunks(200) {
            for (sent, result) in window.iter().zip(destination.deliver(window).await) {
                match result {
                    Ok(_) => confirmed.push(id(sent)),
                    Err(_) => still.push(sent.clone()),
                }
            }
        }
        again = still;
        rounds += 1;
        assert!(rounds < 20, "{} never get through", again.len());
    }
    let queue = broker.name("leads");
    let depth = broker.depth(&queue).await;
    let got = broker.take(&queue, usize::try_from(depth).unwrap()).await;
    let got: BTreeSet<_> = got.into_iter().map(|it| it.id).collect();
    assert_eq!(confirmed.len(), all.len());
    assert_eq!(got, all.iter().map(id).collect());
    let text = metrics_text(&registry);
    assert!(
        text.contains(r#"zohook_destination_connected{destination="queue"} 1"#),
        "{text}"
    );
    destination.close().await;
    clean(&broker).await;
}

fn metrics_text(registry: &Registry) -> String {
    let mut text = vec![];
    TextEncoder::new()
        .encode(&registry.gather(), &mut text)
        .unwrap();
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn a_broker_that_hangs_ends_by_the_deadline_and_is_left_behind() {
    let broker = Broker::connect().await;
    let proxy = Proxy::start(broker.address().await).await;
    let mut settings = settings(&broker, &broker.url_via(proxy.address));
    settings.timeout = Duration::from_secs(1);
    let destination = destination(settings);
    assert_eq!(publish(&destination, "Leads.update").await, Ok(None));
    proxy.set(Mode::Hang);
    for _ in 0..3 {
        let result = tokio::time::timeout(
            Duration::from_secs(5),
            publish(&destination, "Leads.update"),
        );
        assert!(is_down(&result.await.unwrap()));
    }
    proxy.set(Mode::Pass);
    let recovered = async { while publish(&destination, "Leads.update").await.is_err() {} };
    tokio::time::timeout(Duration::from_secs(20), recovered)
        .await
        .unwrap();
    let started = Clock::real();
    proxy.set(Mode::Hang);
    destination.close().await;
    assert!(
        started.monotonic() < Duration::from_secs(5),
        "closing takes at most 5 s"
    );
    clean(&broker).await;
}

#[tokio::test]
async fn a_window_too_big_for_a_slow_line_gets_through_in_smaller_ones() {
    let broker = Broker::connect().await;
    let proxy = Proxy::start(broker.address().await).await;
    let mut settings = settings(&broker, &broker.url_via(proxy.address));
    settings.timeout = Duration::from_secs(2);
    let destination = destination(settings);
    assert_eq!(publish(&destination, "Leads.update").await, Ok(None));
    // All of them take more than twice the timeout.
    proxy.set(Mode::Slow {
        bytes_per_second: 300_000,
    });
    let body = "x".repeat(20_000);
    let mut waiting: Vec<_> = (0..64)
        .map(|number| {
            let mut delivery = delivery(number, "Leads.update");
            delivery.planned.message.data = body.clone().into();
            delivery
        })
        .collect();
    let sent: BTreeSet<_> = waiting.iter().map(id).collect();
    let mut rounds = 0;
    while !waiting.is_empty() {
        let results = destination.deliver(&waiting).await;
        let mut results = results.iter();
        waiting.retain(|_| results.next().unwrap().is_err());
        rounds += 1;
        assert!(rounds < 20, "{} never get through", waiting.len());
    }
    let queue = broker.name("leads");
    let depth = broker.depth(&queue).await;
    let got = broker.take(&queue, usize::try_from(depth).unwrap()).await;
    let got: BTreeSet<_> = got.into_iter().map(|it| it.id).collect();
    assert!(sent.is_subset(&got));
    destination.close().await;
    clean(&broker).await;
}

#[tokio::test]
async fn messages_that_cannot_be_sent_prove_nothing_of_the_broker() {
    let broker = Broker::connect().await;
    let destination = destination(settings(&broker, broker.url.as_str()));
    assert_eq!(publish(&destination, "Leads.update").await, Ok(None));
    broker
        .allow_keys(&broker.name("crm"), "^Leads.update$")
        .await;
    // Sent in pieces of two: of the first nothing can be sent, each of the others costs a channel.
    let mut window: Vec<_> = (0..30)
        .map(|number| delivery(number, "Leads.refused"))
        .collect();
    for delivery in window.iter_mut().take(2) {
        delivery.planned.message.routing_key = Some("k".repeat(256));
    }
    let results = destination.deliver(&window).await;
    assert!(matches!(
        results[0],
        Err(DeliverError::Message {
            reason: QuarantineReason::Unrenderable,
            ..
        })
    ));
    let blamed = |result: &&Delivered| {
        assert!(is_down(result), "{result:?}");
        format!("{result:?}").contains("over this message")
    };
    let alone = results.iter().skip(2).filter(blamed).count();
    assert_eq!(alone, 5, "then it is not the messages");
    destination.close().await;
    clean(&broker).await;
}

#[tokio::test]
async fn a_full_queue_refuses_and_nothing_is_lost() {
    let broker = Broker::connect().await;
    let mut settings = settings(&broker, broker.url.as_str());
    settings.queues[0].length_max = Some(50);
    let destination = destination(settings);
    let queue = broker.name("leads");
    let mut again: Vec<_> = (0..400)
        .map(|number| delivery(number, "Leads.update"))
        .collect();
    let everything: BTreeSet<_> = again.iter().map(id).collect();
    let mut got = BTreeSet::new();
    let mut refused = 0;
    while !again.is_empty() {
        let mut still = vec![];
        for window in again.chunks(100) {
            for (sent, result) in window.iter().zip(destination.deliver(window).await) {
                match result {
                    Ok(_) => {}
                    Err(DeliverError::Destination {
                        down: false,
                        detail,
                        ..
                    }) => {
                        assert!(detail.contains("nack"), "{detail}");
                        refused += 1;
                        still.push(sent.clone());
                    }
                    other => panic!("{other:?}"),
                }
            }
        }
        again = still;
        let depth = broker.depth(&queue).await;
        let taken = broker.take(&queue, usize::try_from(depth).unwrap()).await;
        got.extend(taken.into_iter().map(|it| it.id));
    }
    assert!(refused > 0);
    assert_eq!(got, everything);
    destination.close().await;
    clean(&broker).await;
}

#[tokio::test]
async fn queues_are_declared_as_asked() {
    let broker = Broker::connect().await;
    let dead = broker.name("dead");
    broker.declare_exchange(&dead).await;
    let mut settings = settings(&broker, broker.url.as_str());
    settings.queues[0].length_max = Some(1_000);
    settings.queues[0].delivery_limit = Some(5);
    settings.queues[0].dead_letter_exchange = Some(dead.clone());
    let destination = destination(settings);
    assert_eq!(publish(&destination, "Leads.update").await, Ok(None));
    let texts = [
        ("x-queue-type", "quorum"),
        ("x-overflow", "reject-publish"),
        ("x-dead-letter-exchange", dead.as_str()),
    ];
    let numbers = [("x-max-length", 1_000), ("x-delivery-limit", 5)];
    let queue = broker.name("leads");
    // The broker compares every argument, and durability.
    broker
        .declare_queue(&queue, &texts, &numbers)
        .await
        .unwrap();
    for left_out in 0..texts.len() {
        let mut fewer = texts.to_vec();
        fewer.remove(left_out);
        assert!(
            broker
                .declare_queue(&queue, &fewer, &numbers)
                .await
                .is_err()
        );
    }
    assert!(
        broker
            .declare_queue(&queue, &texts, &numbers[..1])
            .await
            .is_err()
    );
    destination.close().await;
    broker.clean(&[&broker.name("crm"), &dead], &[&queue]).await;
}

#[tokio::test]
async fn what_is_not_there_is_named() {
    let broker = Broker::connect().await;
    let check = async |change: fn(&mut AmqpSettings), expected: String| {
        let mut settings = settings(&broker, broker.url.as_str());
        change(&mut settings);
        let destination = destination(settings);
        let result = publish(&destination, "Leads.update").await;
        assert!(is_down(&result), "{result:?}");
        let detail = result.unwrap_err().to_string();
        assert!(detail.contains(&expected), "{detail}");
        destination.close().await;
    };
    check(
        |it| it.exchange.declare = false,
        format!("exchange {}: ", broker.name("crm")),
    )
    .await;
    check(
        |it| it.queues[0].declare = false,
        format!("queue {}: ", broker.name("leads")),
    )
    .await;
    check(
        |it| it.queues[0].dead_letter_exchange = Some("nowhere".to_owned()),
        "dead letter exchange nowhere of queue".to_owned(),
    )
    .await;
    // Declared as asked above: with another type it differs.
    check(
        |it| it.exchange.kind = ExchangeKind::Fanout,
        "PRECONDITION_FAILED".to_owned(),
    )
    .await;
    clean(&broker).await;
}

#[tokio::test]
async fn what_was_deleted_is_declared_again() {
    let broker = Broker::connect().await;
    let destination = destination(settings(&broker, broker.url.as_str()));
    assert_eq!(publish(&destination, "Leads.update").await, Ok(None));
    clean(&broker).await;
    // An exchange that is gone closes the channel; the next channel finds it again.
    assert_eq!(publish(&destination, "Leads.update").await, Ok(None));
    assert_eq!(broker.take(&broker.name("leads"), 1).await.len(), 1);
    destination.close().await;
    clean(&broker).await;
}

/// Sends all of it again and again, as the dispatcher does, until the broker has taken each; gives up after a minute.
async fn publish_all(destination: &Destination, mut window: Vec<Delivery>) {
    let clock = Clock::real();
    let until = clock.monotonic() + Duration::from_mins(1);
    while !window.is_empty() {
        assert!(clock.monotonic() < until, "{} are left", window.len());
        let results = destination.deliver(&window).await;
        let left = window.into_iter().zip(results);
        window = left
            .filter(|(_, result)| *result != Ok(None))
            .map(|(it, _)| it)
            .collect();
        clock.sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_queue_that_was_deleted_is_declared_again_though_the_exchange_is_there() {
    let broker = Broker::connect().await;
    let destination = destination(settings(&broker, broker.url.as_str()));
    assert_eq!(publish(&destination, "Leads.update").await, Ok(None));
    // Twice: the first look after a connect is not the last.
    for round in 1..=2 {
        broker.clean(&[], &[&broker.name("leads")]).await;
        let window: Vec<_> = (0..round)
            .map(|number| delivery(number, "Leads.update"))
            .collect();
        publish_all(&destination, window.clone()).await;
        let got = broker.take(&broker.name("leads"), window.len()).await;
        let got: BTreeSet<_> = got.into_iter().map(|it| it.id).collect();
        assert_eq!(got, window.iter().map(id).collect());
    }
    destination.close().await;
    clean(&broker).await;
}

#[tokio::test]
async fn a_queue_that_is_gone_and_not_to_be_declared_shows_and_stops_no_other() {
    let broker = Broker::connect().await;
    let registry = Registry::new();
    let mut settings = settings(&broker, broker.url.as_str());
    let (leads, deals) = (broker.name("leads"), broker.name("deals"));
    let mut queue = settings.queues[0].clone();
    queue.name.clone_from(&deals);
    queue.bind = vec!["Deals.#".to_owned()];
    queue.declare = false;
    settings.queues.push(queue);
    let exchange = settings.exchange.name.clone();
    broker.declare_exchange(&exchange).await;
    let there = async || {
        let quorum = [("x-queue-type", "quorum")];
        broker.declare_queue(&deals, &quorum, &[]).await.unwrap();
        broker.bind(&deals, &exchange, "Deals.#").await;
    };
    let connected = async |expected: &str| {
        let line = format!("zohook_destination_connected{{destination=\"queue\"}} {expected}");
        until(&line, Duration::from_secs(30), async || {
            metrics_text(&registry).contains(&line)
        })
        .await;
    };
    there().await;
    let destination = destination_with(settings, &registry);
    assert_eq!(publish(&destination, "Deals.update").await, Ok(None));
    connected("1").await;
    broker.clean(&[], &[&deals]).await;
    assert!(publish(&destination, "Deals.update").await.is_err());
    connected("0").await;
    assert_eq!(publish(&destination, "Leads.update").await, Ok(None));
    there().await;
    connected("1").await;
    assert_eq!(publish(&destination, "Deals.update").await, Ok(None));
    destination.close().await;
    broker.clean(&[&exchange], &[&leads, &deals]).await;
}

#[tokio::test]
async fn urls_are_tried_in_turn() {
    let broker = Broker::connect().await;
    let mut settings = settings(&broker, "amqp://guest:guest@127.0.0.1:1/");
    settings.url.push(SecretString::from(broker.url.as_str()));
    let destination = destination(settings);
    assert_eq!(publish(&destination, "Leads.update").await, Ok(None));
    destination.close().await;
    assert!(
        is_down(&publish(&destination, "Leads.update").await),
        "closed is closed"
    );
    clean(&broker).await;
}

#[tokio::test]
async fn a_wrong_password_is_in_no_error_and_no_debug_output() {
    let broker = Broker::connect().await;
    let mut url = broker.url.clone();
    url.set_password(Some("hush")).unwrap();
    let amqp = settings(&broker, url.as_str());
    let settings = format!("{amqp:?}");
    let destination = destination(amqp);
    let result = publish(&destination, "Leads.update").await;
    assert!(is_down(&result));
    assert!(
        result
            .as_ref()
            .unwrap_err()
            .to_string()
            .contains("ACCESS_REFUSED"),
        "{result:?}"
    );
    let shown = format!("{settings} {destination:?} {result:?}");
    assert!(!shown.contains("hush"), "{shown}");
}

#[tokio::test]
async fn settings_that_cannot_work_are_refused() {
    let broker = Broker::connect().await;
    let metrics = Metrics::register(&Registry::new()).unwrap();
    let check = |change: fn(&mut AmqpSettings), expected: &str| {
        let mut amqp = settings(&broker, "amqp://me:hush@broker/");
        change(&mut amqp);
        let settings = Settings {
            kind: Kind::Amqp(amqp),
            retry: RetrySchedule(vec![]),
            rate: None,
            backlog: Backlog {
                max: 1,
                on_full: OnFull::Refuse,
            },
        };
        let made = Destination::new(
            &DestinationName::new("queue"),
            &settings,
            &Clock::real(),
            &metrics,
            &Clients::new(),
        );
        let error = made.unwrap_err().to_string();
        assert!(
            error.starts_with("destination queue: ") && error.contains(expected),
            "{error}"
        );
        assert!(!error.contains("hush"));
    };
    check(|it| it.url.clear(), "at least one url");
    check(
        |it| it.url[0] = SecretString::from("http://me:hush@broker"),
        "amqp://",
    );
    check(
        |it| it.queues[0].delivery_limit = Some(3),
        "dead letter exchange",
    );
    check(|it| it.exchange.name = String::new(), "default exchange");
    check(|it| it.exchange.name = "x".repeat(256), "255");
}
