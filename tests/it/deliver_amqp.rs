//! Publishing to a real RabbitMQ.
