// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <array>

#include "core/base64.hpp"
#include "core/bytes.hpp"
#include "core/text.hpp"
#include "tests/support/throws.hpp"

using tests::contains;
using tests::thrown_by;

TEST_CASE("splitting, trimming, numbers") {
  CHECK(core::split("a,,b", ',') == std::vector<std::string_view>{"a", "", "b"});
  CHECK(core::split("", ',') == std::vector<std::string_view>{""});
  CHECK(core::split_words("  a\tb  ") == std::vector<std::string_view>{"a", "b"});
  CHECK(core::split_words(" ").empty());
  CHECK(core::split_lines("a\n\nb") == std::vector<std::string_view>{"a", "", "b"});
  CHECK(core::split_lines("a\n") == std::vector<std::string_view>{"a"});
  CHECK(core::split_lines("").empty());
  CHECK(core::trim(" \t x y\n") == "x y");
  CHECK(core::trim("  ").empty());
  CHECK(core::join(std::vector<std::string>{"a", "b"}, ", ") == "a, b");
  CHECK(core::parse_uint("18446744073709551615") == UINT64_MAX);
  for (const char* bad : {"", "18446744073709551616", "-1", "+1", " 1", "1 ", "0x1", "1a"}) {
    CAPTURE(bad);
    CHECK_FALSE(core::parse_uint(bad));
  }
  CHECK(core::parse_uint("755", 8) == 0755);
}

TEST_CASE("the nearest name is offered only when it is near") {
  const std::vector<std::string> names = {"kernel", "image", "overlay"};
  CHECK(core::nearest_name("kernal", names) == "kernel");
  CHECK(core::nearest_name("Image", names) == "image");
  CHECK_FALSE(core::nearest_name("xyz", names));
  CHECK_FALSE(core::nearest_name("", names));
  CHECK(core::did_you_mean("imgae", names) == " (did you mean \"image\"?)");
  CHECK(core::did_you_mean("zzzzzz", names).empty());
}

TEST_CASE("sizes and durations for people") {
  CHECK(core::human_size(0) == "0 B");
  CHECK(core::human_size(1023) == "1023 B");
  CHECK(core::human_size(1536) == "1.5 KiB");
  CHECK(core::human_size(300 << 20) == "300 MiB");
  CHECK(core::human_size(UINT64_MAX) == "16.0 EiB");
  CHECK(core::human_duration(0.04) == "0.0 s");
  CHECK(core::human_duration(59.96) == "1 min 00 s");
  CHECK(core::human_duration(187) == "3 min 07 s");
  CHECK(core::human_duration(7260) == "2 h 01 min");
}

TEST_CASE("byte strings and their one text") {
  const std::array<std::pair<std::string, std::string>, 9> pairs = {{
      {"etc/hosts", "etc/hosts"},
      {"", ""},
      {"100%", "100%25"},
      {"a\nb\x7f", "a%0Ab%7F"},
      {std::string("\0x", 2), "%00x"},
      {"caf\xc3\xa9", "caf\xc3\xa9"},
      {"caf\xe9", "caf%E9"},
      {"\xc3", "%C3"},
      {"\xed\xa0\x80\xf4\x90\x80\x80\xc0\xaf", "%ED%A0%80%F4%90%80%80%C0%AF"},
  }};
  for (const auto& [raw, text] : pairs) {
    CAPTURE(text);
    CHECK(core::escape_bytes(raw) == text);
    CHECK(core::unescape_bytes(text, "t") == raw);
    CHECK(core::is_utf8(core::escape_bytes(raw)));
  }
  for (const char* bad : {"%", "%4", "%zz", "%e9", "%41", "%C3%A9", "a\nb", "caf\xe9", "%2"}) {
    CAPTURE(bad);
    CHECK(contains(thrown_by([&] { return core::unescape_bytes(bad, "src"); }), "src"));
  }
}

TEST_CASE("what is shown to people cannot steer their terminal") {
  CHECK(core::printable("100% caf\xc3\xa9") == "100% caf\xc3\xa9");
  CHECK(core::printable("\x1b[2J\xc2\x9b"
                        "31m\r\xc2\xa0") == "%1B[2J%C2%9B31m%0D\xc2\xa0");
}

TEST_CASE("every byte string comes back") {
  std::string all;
  for (int i = 0; i < 256; ++i) {
    for (int k = 0; k < 256; k += 5) all += {static_cast<char>(i), static_cast<char>(k)};
  }
  CHECK(core::unescape_bytes(core::escape_bytes(all), "t") == all);
  CHECK(core::as_text(core::from_base64(core::to_base64(all), "t")) == all);
}

TEST_CASE("JSON strings as RFC 8785 writes them") {
  CHECK(core::json_quote("a\"\\/\b\f\n\r\t\x01\x1f\x7f\xe2\x82\xac") ==
        "\"a\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\xe2\x82\xac\"");
  CHECK(core::json_quote("\xff") == "\"\xef\xbf\xbd\"");
}

TEST_CASE("base64: vectors of RFC 4648, and one text for each byte string") {
  const std::array<std::pair<std::string_view, std::string_view>, 7> vectors = {{{"", ""},
                                                                                 {"f", "Zg=="},
                                                                                 {"fo", "Zm8="},
                                                                                 {"foo", "Zm9v"},
                                                                                 {"foob", "Zm9vYg=="},
                                                                                 {"fooba", "Zm9vYmE="},
                                                                                 {"foobar", "Zm9vYmFy"}}};
  for (const auto& [raw, text] : vectors) {
    CHECK(core::to_base64(raw) == text);
    CHECK(core::as_text(core::from_base64(text, "t")) == raw);
  }
  for (const char* bad : {"Zg", "Zg=", "Zh==", "Zm9=", "Z===", "====", "Zg==Zg==", "Zm9v\n", "Zm-_", "Zm 9"}) {
    CAPTURE(bad);
    CHECK(contains(thrown_by([&] { return core::from_base64(bad, "src"); }), "src"));
  }
}

TEST_CASE("bounded readers and writers of integers") {
  core::ByteWriter out;
  out.u8(1);
  out.le16(0x0203);
  out.be16(0x0203);
  out.le32(0x04050607);
  out.be32(0x04050607);
  out.le64(0x08090a0b0c0d0e0fULL);
  out.be64(0x08090a0b0c0d0e0fULL);
  out.append("xy");
  out.zeros(2);
  core::ByteReader in(out.bytes(), "file");
  CHECK(in.u8() == 1);
  CHECK(in.le16() == 0x0203);
  CHECK(in.be16() == 0x0203);
  CHECK(in.le32() == 0x04050607);
  CHECK(in.be32() == 0x04050607);
  CHECK(in.le64() == 0x08090a0b0c0d0e0fULL);
  CHECK(in.be64() == 0x08090a0b0c0d0e0fULL);
  CHECK(core::as_text(in.take(2)) == "xy");
  CHECK(contains(thrown_by([&] { in.expect_end(); }), "file: at byte 31: 2 bytes too many"));
  CHECK(contains(thrown_by([&] { return in.le32(); }), "needs 4 bytes, but only 2 are left"));
  CHECK(contains(thrown_by([&] { return in.take(UINT64_MAX); }), "only 2 are left"));
  in.le16();
  in.expect_end();
}
