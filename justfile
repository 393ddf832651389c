# The shortcuts; each is one line, so `just` is not needed.

# Every check and test.
check *ARGS:
    scripts/test {{ARGS}}

# The tests alone, for example: just test deliver_amqp
test *ARGS:
    scripts/test --only tests -- {{ARGS}}

# Ours against a bare server and a plain relay.
bench *ARGS:
    scripts/broker cargo bench {{ARGS}}

# Builds the image and tries it out (as root).
image:
    scripts/image

# The shipped routes, on this machine.
run *ARGS:
    cargo run --release -- serve --routes routes.yaml {{ARGS}}
