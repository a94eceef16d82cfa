// SPDX-License-Identifier: Apache-2.0
#include "overlayd/server/http.hpp"

#include "core/text.hpp"

namespace overlayd::server {

std::string Request::argument(const std::string& name) const {
  const auto found = query.find(name);
  return found == query.end() ? std::string() : found->second;
}

std::string Request::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? std::string() : found->second;
}

Response text_response(int status, const std::string& sentence) {
  Response out;
  out.status = status;
  out.headers = {{"Content-Type", "text/plain; charset=utf-8"}, {"Cache-Control", "no-store"}};
  out.body = sentence.empty() || sentence.ends_with('\n') ? sentence : sentence + "\n";
  return out;
}

Response json_response(int status, const std::string& json) {
  Response out;
  out.status = status;
  out.headers = {{"Content-Type", "application/json"}, {"Cache-Control", "no-store"}};
  out.body = json;
  return out;
}

Range parse_range(const std::string& header, std::uint64_t size) {
  constexpr std::string_view kUnit = "bytes=";
  const Range whole{RangeKind::whole, 0, size};
  if (!header.starts_with(kUnit)) return whole;
  const std::string_view text = core::trim(std::string_view(header).substr(kUnit.size()));
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos || text.find(',') != std::string_view::npos) return whole;
  const std::string_view first = text.substr(0, dash), last = text.substr(dash + 1);
  if (first.empty()) {
    const auto suffix = core::parse_uint(last);
    if (!suffix) return whole;
    if (*suffix == 0 || size == 0) return {RangeKind::unsatisfiable, 0, 0};
    const std::uint64_t length = std::min(*suffix, size);
    return {RangeKind::part, size - length, length};
  }
  const auto begin = core::parse_uint(first);
  const auto end = last.empty() ? std::optional<std::uint64_t>(UINT64_MAX) : core::parse_uint(last);
  if (!begin || !end || *end < *begin) return whole;
  if (*begin >= size) return {RangeKind::unsatisfiable, 0, 0};
  return {RangeKind::part, *begin, std::min(*end, size - 1) - *begin + 1};
}

bool etag_listed(const std::string& header, const std::string& etag) {
  if (core::trim(header) == "*") return true;
  for (std::string_view item : core::split(header, ',')) {
    item = core::trim(item);
    if (item.starts_with("W/")) item.remove_prefix(2);
    if (item == etag) return true;
  }
  return false;
}

}  // namespace overlayd::server
