// Serves functions of a C++ program over the channel. It runs inside the program's own process, so it guards nothing: whatever comes out of this
// process is read as a value, and values are judged elsewhere.
#pragma once
#include <algorithm>
#include <array>
#include <climits>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <limits>
#include <list>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <vector>
#include <cxxabi.h>
#include <unistd.h>

namespace ruminate {

// A value of a frame. `kind`: n null, b bool, # number, " text, [ list, { pairs, alternating keys and values.
struct Data {
    char kind = 'n';
    std::string text;
    std::vector<Data> items;
};

struct Parser {
    const std::string& text;
    size_t at = 0;

    [[noreturn]] void fail() const { throw std::runtime_error("a frame cannot be read"); }
    char peek() const { return at < text.size() ? text[at] : '\0'; }
    void expect(char c) {
        if (peek() != c) fail();
        ++at;
    }

    Data value() {
        switch (peek()) {
            case 'n': at += 4; return {};
            case 't': at += 4; return {'b', "1", {}};
            case 'f': at += 5; return {'b', "", {}};
            case '"': return {'"', string(), {}};
            case '[': return list();
            case '{': return object();
        }
        size_t start = at;
        while (std::strchr("+-.eE0123456789", peek()) && peek()) ++at;
        if (at == start) fail();
        return {'#', text.substr(start, at - start), {}};
    }

    Data list() {
        Data data{'[', "", {}};
        expect('[');
        while (peek() != ']') {
            data.items.push_back(value());
            if (peek() == ',') ++at;
        }
        ++at;
        return data;
    }

    // Objects have either the keys `$` and `v`, or are the frame itself: those are pairs.
    Data object() {
        Data pairs{'{', "", {}};
        expect('{');
        while (peek() != '}') {
            pairs.items.push_back({'"', string(), {}});
            expect(':');
            pairs.items.push_back(value());
            if (peek() == ',') ++at;
        }
        ++at;
        const Data* kind = get(pairs, "$");
        const Data* content = get(pairs, "v");
        if (!kind || !content) return pairs;
        if (kind->text == "int" || kind->text == "float") return {'#', content->text, {}};
        if (kind->text != "dict") return *content;
        Data dict{'{', "", {}};
        for (const Data& pair : content->items) {
            dict.items.push_back(pair.items.at(0));
            dict.items.push_back(pair.items.at(1));
        }
        return dict;
    }

    static const Data* get(const Data& pairs, const std::string& key) {
        for (size_t i = 0; i + 1 < pairs.items.size(); i += 2)
            if (pairs.items[i].text == key) return &pairs.items[i + 1];
        return nullptr;
    }

    unsigned hex4() {
        unsigned code = std::stoul(text.substr(at, 4), nullptr, 16);
        at += 4;
        return code;
    }

    std::string string() {
        std::string out;
        expect('"');
        while (peek() != '"') {
            if (at >= text.size()) fail();
            char c = text[at++];
            if (c != '\\') {
                out += c;
                continue;
            }
            c = text[at++];
            if (c != 'u') {
                static const std::map<char, char> escapes = {{'n', '\n'}, {'t', '\t'}, {'r', '\r'}, {'b', '\b'}, {'f', '\f'}};
                auto found = escapes.find(c);
                out += found == escapes.end() ? c : found->second;
                continue;
            }
            unsigned code = hex4();
            if (code >= 0xD800 && code < 0xDC00 && text.compare(at, 2, "\\u") == 0) {
                at += 2;
                code = 0x10000 + ((code - 0xD800) << 10) + (hex4() - 0xDC00);
            }
            if (code < 0x80) {
                out += char(code);
            } else if (code < 0x800) {
                out += char(0xC0 | code >> 6);
                out += char(0x80 | (code & 0x3F));
            } else if (code < 0x10000) {
                out += char(0xE0 | code >> 12);
                out += char(0x80 | (code >> 6 & 0x3F));
                out += char(0x80 | (code & 0x3F));
            } else {
                out += char(0xF0 | code >> 18);
                out += char(0x80 | (code >> 12 & 0x3F));
                out += char(0x80 | (code >> 6 & 0x3F));
                out += char(0x80 | (code & 0x3F));
            }
        }
        ++at;
        return out;
    }
};

template <class T>
struct Type {};

[[noreturn]] inline void mismatch(const char* wanted, const Data& data) {
    throw std::invalid_argument(std::string("the program wants ") + wanted + " where the test gives " + data.text.substr(0, 60));
}

inline const std::vector<Data>& items(const Data& data) {
    if (data.kind != '[' && data.kind != '{') mismatch("a list", data);
    return data.items;
}

// Values of the test as values of the program's parameter types.

inline bool decode(const Data& data, Type<bool>) {
    if (data.kind != 'b') mismatch("a truth value", data);
    return !data.text.empty();
}

inline char decode(const Data& data, Type<char>) {
    if (data.kind != '"' || data.text.size() != 1) mismatch("one character", data);
    return data.text[0];
}

inline std::string decode(const Data& data, Type<std::string>) {
    if (data.kind != '"') mismatch("text", data);
    return data.text;
}

template <class T, std::enable_if_t<std::is_arithmetic_v<T>, int> = 0>
T decode(const Data& data, Type<T>) {
    if (data.kind != '#') mismatch("a number", data);
    if constexpr (std::is_floating_point_v<T>) return static_cast<T>(std::stod(data.text));
    size_t end = 0;
    T value{};
    if constexpr (std::is_unsigned_v<T>) {
        unsigned long long wide = std::stoull(data.text, &end);
        value = static_cast<T>(wide);
        if (value != wide || data.text[0] == '-') mismatch("a number of its type's range", data);
    } else if constexpr (std::is_integral_v<T>) {
        long long wide = std::stoll(data.text, &end);
        value = static_cast<T>(wide);
        if (value != wide) mismatch("a number of its type's range", data);
    }
    if (end != data.text.size()) mismatch("an integer", data);
    return value;
}

template <class T, class A> std::vector<T, A> decode(const Data&, Type<std::vector<T, A>>);
template <class T, class A> std::list<T, A> decode(const Data&, Type<std::list<T, A>>);
template <class T, class A> std::deque<T, A> decode(const Data&, Type<std::deque<T, A>>);
template <class T, class... A> std::set<T, A...> decode(const Data&, Type<std::set<T, A...>>);
template <class T, class... A> std::unordered_set<T, A...> decode(const Data&, Type<std::unordered_set<T, A...>>);
template <class K, class V, class... A> std::map<K, V, A...> decode(const Data&, Type<std::map<K, V, A...>>);
template <class K, class V, class... A> std::unordered_map<K, V, A...> decode(const Data&, Type<std::unordered_map<K, V, A...>>);
template <class A, class B> std::pair<A, B> decode(const Data&, Type<std::pair<A, B>>);
template <class... T> std::tuple<T...> decode(const Data&, Type<std::tuple<T...>>);
template <class T> std::optional<T> decode(const Data&, Type<std::optional<T>>);

template <class C>
C decode_list(const Data& data) {
    C out;
    for (const Data& item : items(data)) out.insert(out.end(), decode(item, Type<typename C::value_type>{}));
    return out;
}

template <class C>
C decode_map(const Data& data) {
    C out;
    const auto& pairs = items(data);
    for (size_t i = 0; i + 1 < pairs.size(); i += 2) {
        Data key = pairs[i];
        // JSON has text for keys only.
        if (!std::is_same_v<typename C::key_type, std::string> && !std::is_same_v<typename C::key_type, char> && key.kind == '"') key.kind = '#';
        out.emplace(decode(key, Type<typename C::key_type>{}), decode(pairs[i + 1], Type<typename C::mapped_type>{}));
    }
    return out;
}

template <class T, class A> std::vector<T, A> decode(const Data& data, Type<std::vector<T, A>>) { return decode_list<std::vector<T, A>>(data); }
template <class T, class A> std::list<T, A> decode(const Data& data, Type<std::list<T, A>>) { return decode_list<std::list<T, A>>(data); }
template <class T, class A> std::deque<T, A> decode(const Data& data, Type<std::deque<T, A>>) { return decode_list<std::deque<T, A>>(data); }
template <class T, class... A> std::set<T, A...> decode(const Data& data, Type<std::set<T, A...>>) { return decode_list<std::set<T, A...>>(data); }
template <class T, class... A>
std::unordered_set<T, A...> decode(const Data& data, Type<std::unordered_set<T, A...>>) {
    return decode_list<std::unordered_set<T, A...>>(data);
}
template <class K, class V, class... A>
std::map<K, V, A...> decode(const Data& data, Type<std::map<K, V, A...>>) {
    return decode_map<std::map<K, V, A...>>(data);
}
template <class K, class V, class... A>
std::unordered_map<K, V, A...> decode(const Data& data, Type<std::unordered_map<K, V, A...>>) {
    return decode_map<std::unordered_map<K, V, A...>>(data);
}
template <class A, class B>
std::pair<A, B> decode(const Data& data, Type<std::pair<A, B>>) {
    if (items(data).size() != 2) mismatch("a pair", data);
    return {decode(data.items[0], Type<A>{}), decode(data.items[1], Type<B>{})};
}
template <class... T, size_t... I>
std::tuple<T...> decode_tuple(const Data& data, std::index_sequence<I...>) {
    return {decode(data.items[I], Type<T>{})...};
}
template <class... T>
std::tuple<T...> decode(const Data& data, Type<std::tuple<T...>>) {
    if (items(data).size() != sizeof...(T)) mismatch("as many arguments as it has parameters", data);
    return decode_tuple<T...>(data, std::index_sequence_for<T...>{});
}
template <class T>
std::optional<T> decode(const Data& data, Type<std::optional<T>>) {
    if (data.kind == 'n') return std::nullopt;
    return decode(data, Type<T>{});
}

// Values of the program as JSON.

inline std::string encode(bool value) { return value ? "true" : "false"; }

inline std::string encode(const std::string& value) {
    std::string out = "\"";
    for (unsigned char c : value) {
        if (c == '"' || c == '\\') {
            out += '\\';
            out += char(c);
        } else if (c < 0x20) {
            char escape[8];
            std::snprintf(escape, sizeof escape, "\\u%04x", c);
            out += escape;
        } else {
            out += char(c);
        }
    }
    return out + "\"";
}

inline std::string encode(const char* value) { return encode(std::string(value)); }
inline std::string encode(char value) { return encode(std::string(1, value)); }
inline std::string encode(std::nullptr_t) { return "null"; }

template <class T, std::enable_if_t<std::is_arithmetic_v<T>, int> = 0>
std::string encode(T value) {
    if constexpr (std::is_integral_v<T>) {
        std::string digits = std::to_string(value);
        return digits.size() < 16 ? digits : "{\"$\":\"int\",\"v\":\"" + digits + "\"}";
    } else {
        if (!std::isfinite(value)) return std::string("{\"$\":\"float\",\"v\":\"") + (std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf") + "\"}";
        char text[64];
        std::snprintf(text, sizeof text, "%.*g", std::numeric_limits<T>::max_digits10, static_cast<double>(value));
        return text;
    }
}

template <class T, class A> std::string encode(const std::vector<T, A>&);
template <class T, size_t N> std::string encode(const std::array<T, N>&);
template <class T, class A> std::string encode(const std::list<T, A>&);
template <class T, class A> std::string encode(const std::deque<T, A>&);
template <class T, class... A> std::string encode(const std::set<T, A...>&);
template <class T, class... A> std::string encode(const std::unordered_set<T, A...>&);
template <class K, class V, class... A> std::string encode(const std::map<K, V, A...>&);
template <class K, class V, class... A> std::string encode(const std::unordered_map<K, V, A...>&);
template <class A, class B> std::string encode(const std::pair<A, B>&);
template <class... T> std::string encode(const std::tuple<T...>&);
template <class T> std::string encode(const std::optional<T>&);

template <class C>
std::string encode_list(const C& values) {
    std::string out = "[";
    for (auto it = values.begin(); it != values.end(); ++it) {
        if (out.size() > 1) out += ',';
        out += encode(static_cast<typename C::value_type>(*it));
    }
    return out + "]";
}

template <class C>
std::string encode_map(const C& values) {
    std::string out = "{\"$\":\"dict\",\"v\":[";
    bool is_first = true;
    for (const auto& [key, value] : values) {
        out += (is_first ? "[" : ",[") + encode(key) + "," + encode(value) + "]";
        is_first = false;
    }
    return out + "]}";
}

template <class T, class A> std::string encode(const std::vector<T, A>& values) { return encode_list(values); }
template <class T, size_t N> std::string encode(const std::array<T, N>& values) { return encode_list(values); }
template <class T, class A> std::string encode(const std::list<T, A>& values) { return encode_list(values); }
template <class T, class A> std::string encode(const std::deque<T, A>& values) { return encode_list(values); }
template <class T, class... A> std::string encode(const std::set<T, A...>& values) { return "{\"$\":\"set\",\"v\":" + encode_list(values) + "}"; }
template <class T, class... A>
std::string encode(const std::unordered_set<T, A...>& values) {
    return "{\"$\":\"set\",\"v\":" + encode_list(values) + "}";
}
template <class K, class V, class... A> std::string encode(const std::map<K, V, A...>& values) { return encode_map(values); }
template <class K, class V, class... A> std::string encode(const std::unordered_map<K, V, A...>& values) { return encode_map(values); }
template <class A, class B> std::string encode(const std::pair<A, B>& pair) { return "[" + encode(pair.first) + "," + encode(pair.second) + "]"; }
template <class... T>
std::string encode(const std::tuple<T...>& values) {
    std::string out;
    std::apply([&](const auto&... value) { ((out += (out.empty() ? "[" : ",") + encode(value)), ...); }, values);
    return (out.empty() ? "[" : out) + "]";
}
template <class T> std::string encode(const std::optional<T>& value) { return value ? encode(*value) : "null"; }

// The channel.

inline void read_exactly(char* to, size_t size) {
    while (size > 0) {
        ssize_t n = read(3, to, size);
        if (n <= 0) _exit(0);
        to += n;
        size -= n;
    }
}

inline std::string receive() {
    unsigned char head[4];
    read_exactly(reinterpret_cast<char*>(head), 4);
    std::string text(head[0] | head[1] << 8 | head[2] << 16 | size_t(head[3]) << 24, '\0');
    read_exactly(text.data(), text.size());
    return text;
}

inline void send(const std::string& text) {
    size_t size = text.size();
    std::string frame = {char(size), char(size >> 8), char(size >> 16), char(size >> 24)};
    frame += text;
    for (size_t at = 0; at < frame.size();) {
        ssize_t n = write(3, frame.data() + at, frame.size() - at);
        if (n <= 0) _exit(0);
        at += n;
    }
}

// Functions of the program.

using Served = std::function<std::string(const Data&)>;

template <class R, class F, class... A>
std::string invoke(F&& function, const Data& arguments, std::tuple<std::decay_t<A>...>* = nullptr) {
    auto values = decode(arguments, Type<std::tuple<std::decay_t<A>...>>{});
    auto call = [&](auto&... value) -> R { return function(static_cast<A&&>(value)...); };
    if constexpr (std::is_void_v<R>) {
        std::apply(call, values);
        return "null";
    } else {
        return encode(std::apply(call, values));
    }
}

template <class R, class... A>
Served serve(R (*function)(A...)) {
    return [=](const Data& arguments) { return invoke<R, R (*)(A...), A...>(+function, arguments); };
}
template <class C, class R, class... A>
Served serve(R (C::*method)(A...)) {
    return [=](const Data& arguments) {
        C object{};
        auto bound = [&](A... args) -> R { return (object.*method)(std::forward<A>(args)...); };
        return invoke<R, decltype(bound)&, A...>(bound, arguments);
    };
}
template <class C, class R, class... A>
Served serve(R (C::*method)(A...) const) {
    return [=](const Data& arguments) {
        C object{};
        auto bound = [&](A... args) -> R { return (object.*method)(std::forward<A>(args)...); };
        return invoke<R, decltype(bound)&, A...>(bound, arguments);
    };
}
// A lambda in a variable.
template <class F>
auto serve(const F& function) -> decltype(serve(+function)) {
    return serve(+function);
}

inline std::string answer(const std::map<std::string, Served>& functions, const std::string& frame) {
    try {
        Parser parser{frame};
        Data request = parser.value();
        const Data* on = Parser::get(request, "on");
        const Data* arguments = Parser::get(request, "args");
        if (!on || !arguments) parser.fail();
        auto found = functions.find(on->text);
        if (found == functions.end()) return "{\"missing\":" + encode(on->text) + "}";
        return "{\"ok\":" + found->second(*arguments) + "}";
    } catch (const std::exception& error) {
        int status = 0;
        char* name = abi::__cxa_demangle(typeid(error).name(), nullptr, nullptr, &status);
        return "{\"raise\":[" + encode(name ? name : "exception") + ",\"Exception\"," + encode(error.what()) + "]}";
    } catch (...) {
        return "{\"raise\":[\"exception\",\"Exception\",\"\"]}";
    }
}

[[noreturn]] inline void run(const std::map<std::string, Served>& functions) {
    send("{\"names\":[],\"errors\":{}}");
    for (;;) {
        std::string reply = answer(functions, receive());
        std::fflush(nullptr);
        send(reply);
    }
}

}  // namespace ruminate
