package org.styleexport.contract.json

/** A value of JSON, as it was written: numbers keep their text, objects their order. */
public sealed interface JsonValue {
    /** What a message calls it. */
    public val kind: String
}

/** Members by name, in the order of the text. */
public class JsonObject(public val members: Map<String, JsonValue>) : JsonValue {
    override val kind: String get() = "object"
}

/** Values in order. */
public class JsonArray(public val values: List<JsonValue>) : JsonValue {
    override val kind: String get() = "array"
}

/** A text. */
public class JsonText(public val text: String) : JsonValue {
    override val kind: String get() = "text"
}

/** A number, as its digits stand in the text. */
public class JsonNumber(public val digits: String) : JsonValue {
    override val kind: String get() = if (isWhole) "whole number" else "fraction"

    /** Whether it has neither a fraction nor an exponent. */
    public val isWhole: Boolean get() = digits.none { it == '.' || it == 'e' || it == 'E' }
}

/** True or false. */
public class JsonBoolean(public val value: Boolean) : JsonValue {
    override val kind: String get() = "boolean"
}

/** Nothing. */
public object JsonNull : JsonValue {
    override val kind: String get() = "null"
}
