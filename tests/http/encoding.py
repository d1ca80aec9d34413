"""encoding.py - a version's encoders and layers, worked through in Python: what the daemon must answer.

Written from the contract alone: encoders() of a version's document, layers by GET. Numbers are double here and float32
there, so that answers agree to about 1e-5.
"""
import datetime
import math


def fnv(text):
    """FNV-1a of 64 bits."""
    value = 14695981039346656037
    for byte in text.encode():
        value = (value ^ byte) * 1099511628211 % 2 ** 64
    return value


def seconds_of(text):
    """Of an ISO 8601 date or time, UTC where nothing else is said."""
    when = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    if when.tzinfo is None:
        when = when.replace(tzinfo=datetime.timezone.utc)
    return when.timestamp()


def encode_number(column, value):
    value = column["fill"] if value is None else float(value)
    return [(value - column["shift"]) / column["scale"]]


def encode_date(column, value):
    def linear(seconds, year):
        return [(year - column["year_shift"]) / column["year_scale"], (seconds - column["shift"]) / column["scale"]]
    if value is None:
        return linear(seconds_of(column["fill"]), column["year_shift"]) + [0.0] * 6
    seconds = seconds_of(value)
    when = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    out = linear(seconds, when.year)
    hour = when.hour + when.minute / 60 + (when.second + when.microsecond / 1e6) / 3600
    for part, whole in ((when.month - 1, 12), (when.weekday(), 7), (hour, 24)):
        out += [math.sin(2 * math.pi * part / whole), math.cos(2 * math.pi * part / whole)]
    return out


def encode_category(column, value):
    slots = column["slots"]
    beside = {name: i for i, slot in enumerate(slots) for name in ("other", "missing") if name in slot}
    if value is None:
        place = beside["missing"]
    elif "buckets" in column:
        hashed = fnv(value)
        place = (hashed ^ hashed >> 32) % column["buckets"]
    else:
        place = next((i for i, slot in enumerate(slots) if slot.get("value") == value), beside.get("other"))
    return [1.0 if i == place else 0.0 for i in range(len(slots))]


ENCODE = {"number": encode_number, "date": encode_date, "category": encode_category}


def encode(encoders, record):
    """A record as the numbers that the network sees."""
    row = []
    for column in encoders["inputs"]:
        assert column["first"] == len(row)
        row += ENCODE[column["type"]](column, record.get(column["name"]))
        assert len(row) == column["first"] + column["width"]
    return row


def forward(layers, row, hidden=math.tanh):
    """What a network answers; layers as Client.layers has them, the last one linear."""
    for i, (weights, biases) in enumerate(layers):
        z = [sum(w * a for w, a in zip(line, row)) + b for line, b in zip(weights, biases)]
        row = [hidden(x) for x in z] if i + 1 < len(layers) else z
    return row


def softmax(z):
    top = max(z)
    powers = [math.exp(x - top) for x in z]
    return [p / sum(powers) for p in powers]
