// The requests of the golden vectors (protocol 16), as captured from a real server's clients, and what they mean.

#include <algorithm>
#include <array>
#include <gtest/gtest.h>
#include <string>
#include <string_view>
#include <variant>

#include "wire/jute.hpp"
#include "wire/requests.hpp"
#include "wire/test_support.hpp"

namespace quorate::wire {
namespace {

using tree::Status;

struct GoldenRequest {
  std::string_view vector;
  std::string_view frame;  // In hexadecimal, with its length.
  std::string_view meaning;
  Status status;  // Ours, before the tree has a say.
};

constexpr auto golden_requests = std::to_array<GoldenRequest>({
    {"session_resume_closed_session", "0000000800000001fffffff5", "", Status::ok},
    {"ping", "00000008fffffffe0000000b", "", Status::ok},
    {"create_persistent",
     "000000380000000100000001000000042f6730310000000568656c6c6f000000010000001f00000005776f726c6400000006616e796f6e650"
     "0000000",
     "path=\"/g01\" data=\"hello\" acl=[31:world:anyone] flags=0", Status::ok},
    {"create_errors_basic",
     "000000330000000100000001000000042f67303200000000000000010000001f00000005776f726c6400000006616e796f6e6500000000",
     "path=\"/g02\" data=\"\" acl=[31:world:anyone] flags=0", Status::ok},
    {"create_errors_basic",
     "000000330000000200000001000000042f67303200000000000000010000001f00000005776f726c6400000006616e796f6e6500000000",
     "path=\"/g02\" data=\"\" acl=[31:world:anyone] flags=0", Status::ok},
    {"create_errors_basic",
     "000000360000000300000001000000072f673032782f7900000000000000010000001f00000005776f726c6400000006616e796f6e6500000"
     "000",
     "path=\"/g02x/y\" data=\"\" acl=[31:world:anyone] flags=0", Status::ok},
    {"create_errors_basic",
     "000000300000000400000001000000012f00000000000000010000001f00000005776f726c6400000006616e796f6e6500000000",
     "path=\"/\" data=\"\" acl=[31:world:anyone] flags=0", Status::ok},
    {"create_sequential",
     "000000360000000200000001000000072f6730332f6e2d00000000000000010000001f00000005776f726c6400000006616e796f6e6500000"
     "002",
     "path=\"/g03/n-\" data=\"\" acl=[31:world:anyone] flags=2", Status::ok},
    {"create_sequential",
     "000000340000000400000001000000052f6730332f00000000000000010000001f00000005776f726c6400000006616e796f6e6500000002",
     "path=\"/g03/\" data=\"\" acl=[31:world:anyone] flags=2", Status::ok},
    {"create_sequential", "000000110000000500000003000000042f67303300", "path=\"/g03\" watch=false", Status::ok},
    {"create_ephemeral",
     "000000340000000100000001000000042f6730340000000165000000010000001f00000005776f726c6400000006616e796f6e6500000001",
     "path=\"/g04\" data=\"e\" acl=[31:world:anyone] flags=1", Status::ok},
    {"create_ephemeral", "000000110000000200000003000000042f67303400", "path=\"/g04\" watch=false", Status::ok},
    {"create_ephemeral_sequential",
     "0000003900000002000000010000000a2f6733392f6c6f636b2d00000000000000010000001f00000005776f726c6400000006616e796f6e6"
     "500000003",
     "path=\"/g39/lock-\" data=\"\" acl=[31:world:anyone] flags=3", Status::ok},
    {"create2",
     "00000036000000010000000f000000042f67303500000003616263000000010000001f00000005776f726c6400000006616e796f6e6500000"
     "000",
     "path=\"/g05\" data=\"abc\" acl=[31:world:anyone] flags=0", Status::ok},
    {"create_container_and_ttl",
     "000000340000000100000013000000052f6730366300000000000000010000001f00000005776f726c6400000006616e796f6e6500000004",
     "path=\"/g06c\" data=\"\" acl=[31:world:anyone] flags=4", Status::ok},
    {"create_container_and_ttl",
     "0000003c0000000200000015000000052f6730367400000000000000010000001f00000005776f726c6400000006616e796f6e65000000050"
     "0000000000f4240",
     "path=\"/g06t\" data=\"\" acl=[31:world:anyone] flags=5 ttl=1000000", Status::ok},
    {"create_ttl_bad_arguments",
     "0000003b0000000100000015000000042f67303700000000000000010000001f00000005776f726c6400000006616e796f6e6500000005000"
     "0000000000000",
     "path=\"/g07\" data=\"\" acl=[31:world:anyone] flags=5 ttl=0", Status::ok},
    {"create_ttl_bad_arguments",
     "0000003b0000000200000015000000042f67303700000000000000010000001f00000005776f726c6400000006616e796f6e6500000005000"
     "0010000000000",
     "path=\"/g07\" data=\"\" acl=[31:world:anyone] flags=5 ttl=1099511627776", Status::ok},
    {"create_ttl_bad_arguments",
     "000000330000000300000001000000042f67303700000000000000010000001f00000005776f726c6400000006616e796f6e6500000005",
     "path=\"/g07\" data=\"\" acl=[31:world:anyone] flags=5 ttl=-1", Status::ok},
    {"create_bad_paths",
     "000000330000000100000001000000042f67303800000000000000010000001f00000005776f726c6400000006616e796f6e6500000000",
     "path=\"/g08\" data=\"\" acl=[31:world:anyone] flags=0", Status::ok},
    {"create_bad_paths",
     "0000002f00000002000000010000000000000000000000010000001f00000005776f726c6400000006616e796f6e6500000000",
     "path=\"\" data=\"\" acl=[31:world:anyone] flags=0", Status::ok},
    {"create_bad_paths",
     "0000003200000003000000010000000367303800000000000000010000001f00000005776f726c6400000006616e796f6e6500000000",
     "path=\"g08\" data=\"\" acl=[31:world:anyone] flags=0", Status::ok},
    {"create_bad_paths",
     "000000340000000400000001000000056730382f7800000000000000010000001f00000005776f726c6400000006616e796f6e6500000000",
     "path=\"g08/x\" data=\"\" acl=[31:world:anyone] flags=0", Status::ok},
    {"create_bad_paths",
     "000000340000000500000001000000052f6730382f00000000000000010000001f00000005776f726c6400000006616e796f6e6500000000",
     "path=\"/g08/\" data=\"\" acl=[31:world:anyone] flags=0", Status::ok},
    {"create_bad_paths",
     "000000340000000600000001000000052f2f67303800000000000000010000001f00000005776f726c6400000006616e796f6e6500000000",
     "path=\"//g08\" data=\"\" acl=[31:world:anyone] flags=0", Status::ok},
    {"create_bad_paths",
     "000000350000000700000001000000062f6730382f2e00000000000000010000001f00000005776f726c6400000006616e796f6e650000000"
     "0",
     "path=\"/g08/.\" data=\"\" acl=[31:world:anyone] flags=0", Status::ok},
    {"create_bad_paths",
     "000000360000000800000001000000072f6730382f610100000000000000010000001f00000005776f726c6400000006616e796f6e6500000"
     "000",
     "path=\"/g08/a\001\" data=\"\" acl=[31:world:anyone] flags=0", Status::ok},
    {"create_bad_paths",
     "000000340000000900000001000000052f6730386600000000000000010000001f00000005776f726c6400000006616e796f6e6500000009",
     "path=\"/g08f\" data=\"\" acl=[31:world:anyone] flags=9", Status::bad_arguments},
    {"create_invalid_acl", "0000001c0000000100000001000000042f673039000000000000000000000000",
     "path=\"/g09\" data=\"\" acl=[] flags=0", Status::ok},
    {"create_invalid_acl", "0000001c0000000200000001000000042f67303900000000ffffffff00000000",
     "path=\"/g09\" data=\"\" acl=[] flags=0", Status::ok},
    {"create_invalid_acl",
     "0000002e0000000300000001000000042f67303900000000000000010000001f00000003666f6f0000000362617200000000",
     "path=\"/g09\" data=\"\" acl=[31:foo:bar] flags=0", Status::ok},
    {"create_invalid_acl",
     "000000300000000400000001000000042f67303900000000000000010000001f00000005776f726c6400000003626f6200000000",
     "path=\"/g09\" data=\"\" acl=[31:world:bob] flags=0", Status::ok},
    {"create_invalid_acl",
     "0000002c0000000500000001000000042f67303900000000000000010000001f00000004617574680000000000000000",
     "path=\"/g09\" data=\"\" acl=[31:auth:] flags=0", Status::ok},
    {"exists_found_and_missing", "000000110000000200000003000000042f67313000", "path=\"/g10\" watch=false", Status::ok},
    {"exists_found_and_missing", "000000160000000300000003000000092f6731302f6e6f6e6500",
     "path=\"/g10/none\" watch=false", Status::ok},
    {"get_data",
     "000000340000000200000001000000052f6731316effffffff000000010000001f00000005776f726c6400000006616e796f6e6500000000",
     "path=\"/g11n\" data=null acl=[31:world:anyone] flags=0", Status::ok},
    {"get_data", "000000110000000300000004000000042f67313100", "path=\"/g11\" watch=false", Status::ok},
    {"get_data", "000000120000000400000004000000052f6731316e00", "path=\"/g11n\" watch=false", Status::ok},
    {"get_data", "000000160000000500000004000000092f6731312f6e6f6e6500", "path=\"/g11/none\" watch=false", Status::ok},
    {"get_children", "000000110000000300000008000000042f67313200", "path=\"/g12\" watch=false", Status::ok},
    {"get_children", "00000011000000040000000c000000042f67313200", "path=\"/g12\" watch=false", Status::ok},
    {"get_children", "00000015000000050000000c000000082f6731322f6b696400", "path=\"/g12/kid\" watch=false", Status::ok},
    {"stat_counters", "000000160000000400000002000000062f6731332f61ffffffff", "path=\"/g13/a\" version=-1", Status::ok},
    {"stat_counters", "0000001a0000000500000005000000042f673133000000023232ffffffff",
     "path=\"/g13\" data=\"22\" version=-1", Status::ok},
    {"stat_counters",
     "0000002f0000000600000007000000042f673133000000010000001f00000005776f726c6400000006616e796f6e65ffffffff",
     "path=\"/g13\" acl=[31:world:anyone] version=-1", Status::ok},
    {"stat_counters", "000000110000000700000003000000042f67313300", "path=\"/g13\" watch=false", Status::ok},
    {"set_data", "0000001a0000000200000005000000042f67313400000002763100000000", "path=\"/g14\" data=\"v1\" version=0",
     Status::ok},
    {"set_data", "0000001a0000000300000005000000042f67313400000002763200000007", "path=\"/g14\" data=\"v2\" version=7",
     Status::ok},
    {"set_data", "0000001a0000000400000005000000042f673134000000027632ffffffff", "path=\"/g14\" data=\"v2\" version=-1",
     Status::ok},
    {"set_data", "0000001b0000000500000005000000052f67313478000000027632ffffffff",
     "path=\"/g14x\" data=\"v2\" version=-1", Status::ok},
    {"set_data", "0000001b0000000600000005000000052f6731342f000000027632ffffffff",
     "path=\"/g14/\" data=\"v2\" version=-1", Status::ok},
    {"delete", "000000140000000300000002000000042f67313500000005", "path=\"/g15\" version=5", Status::ok},
    {"delete", "000000140000000400000002000000042f67313500000000", "path=\"/g15\" version=0", Status::ok},
    {"delete", "000000160000000500000002000000062f6731352f6300000000", "path=\"/g15/c\" version=0", Status::ok},
    {"delete", "000000140000000600000002000000042f673135ffffffff", "path=\"/g15\" version=-1", Status::ok},
    {"delete", "000000140000000700000002000000042f673135ffffffff", "path=\"/g15\" version=-1", Status::ok},
    {"delete", "000000110000000800000002000000012fffffffff", "path=\"/\" version=-1", Status::ok},
    {"delete", "0000001a00000009000000020000000a2f7a6f6f6b6565706572ffffffff", "path=\"/zookeeper\" version=-1",
     Status::ok},
    {"sync", "000000110000000100000009000000052f6e6f7065", "path=\"/nope\"", Status::ok},
    {"acl_roundtrip",
     "0000005d0000000200000007000000042f673136000000030000000100000005776f726c6400000006616e796f6e650000001f00000005776"
     "f726c6400000006616e796f6e650000000100000005776f726c6400000006616e796f6e6500000000",
     "path=\"/g16\" acl=[1:world:anyone, 31:world:anyone, 1:world:anyone] version=0", Status::ok},
    {"acl_roundtrip", "000000100000000300000006000000042f673136", "path=\"/g16\"", Status::ok},
    {"acl_roundtrip",
     "0000002f0000000400000007000000042f673136000000010000001f00000005776f726c6400000006616e796f6e6500000000",
     "path=\"/g16\" acl=[31:world:anyone] version=0", Status::ok},
    {"auth_digest_and_auth_scheme", "00000020fffffffc00000064000000000000000664696765737400000006626f623a7077",
     "type=0 scheme=\"digest\" auth=\"bob:pw\"", Status::ok},
    {"auth_digest_and_auth_scheme",
     "0000002d0000000100000001000000042f6731370000000173000000010000001f00000004617574680000000000000000",
     "path=\"/g17\" data=\"s\" acl=[31:auth:] flags=0", Status::ok},
    {"auth_digest_and_auth_scheme", "000000100000000200000006000000042f673137", "path=\"/g17\"", Status::ok},
    {"auth_digest_and_auth_scheme", "000000110000000100000004000000042f67313700", "path=\"/g17\" watch=false",
     Status::ok},
    {"auth_digest_and_auth_scheme", "000000190000000300000005000000042f673137000000017800000063",
     "path=\"/g17\" data=\"x\" version=99", Status::ok},
    {"auth_digest_and_auth_scheme", "000000190000000400000002000000092f6731372f6e6f6e65ffffffff",
     "path=\"/g17/none\" version=-1", Status::ok},
    {"get_acl_digest_masked",
     "000000650000000100000001000000042f67313800000000000000020000001f0000000664696765737400000020626f623a696b49614b736"
     "27447776561486e622f6a4b6e374f487162756e4d3d0000000100000005776f726c6400000006616e796f6e6500000000",
     "path=\"/g18\" data=\"\" acl=[31:digest:bob:ikIaKsbtGweaHnb/jKn7OHqbunM=, 1:world:anyone] flags=0", Status::ok},
    {"get_acl_digest_masked", "000000100000000200000006000000042f673138", "path=\"/g18\"", Status::ok},
    {"auth_unknown_scheme", "00000018fffffffc000000640000000000000003666f6f0000000178",
     "type=0 scheme=\"foo\" auth=\"x\"", Status::ok},
    {"auth_positive_xid", "000000200000000100000064000000000000000664696765737400000006626f623a7077",
     "type=0 scheme=\"digest\" auth=\"bob:pw\"", Status::ok},
    {"super_user",
     "000000340000000100000001000000042f6731390000000173000000010000000000000005776f726c6400000006616e796f6e6500000000",
     "path=\"/g19\" data=\"s\" acl=[0:world:anyone] flags=0", Status::ok},
    {"super_user", "000000110000000200000004000000042f67313900", "path=\"/g19\" watch=false", Status::ok},
    {"super_user", "00000026fffffffc0000006400000000000000066469676573740000000c73757065723a736563726574",
     "type=0 scheme=\"digest\" auth=\"super:secret\"", Status::ok},
    {"super_user", "000000110000000100000004000000042f67313900", "path=\"/g19\" watch=false", Status::ok},
    {"super_user", "0000001a00000002000000020000000a2f7a6f6f6b6565706572ffffffff", "path=\"/zookeeper\" version=-1",
     Status::ok},
    {"whoami", "00000008000000010000006b", "", Status::ok},
    {"whoami", "00000008000000020000006b", "", Status::ok},
    {"watch_exists_created", "000000110000000100000003000000042f67323001", "path=\"/g20\" watch=true", Status::ok},
    {"watch_exists_created", "000000190000000200000005000000042f6732300000000178ffffffff",
     "path=\"/g20\" data=\"x\" version=-1", Status::ok},
    {"watch_event_before_reply", "000000110000000200000004000000042f67323101", "path=\"/g21\" watch=true", Status::ok},
    {"watch_event_before_reply", "000000190000000300000005000000042f6732310000000178ffffffff",
     "path=\"/g21\" data=\"x\" version=-1", Status::ok},
    {"watch_delete_node", "000000130000000100000004000000062f6732322f6e01", "path=\"/g22/n\" watch=true", Status::ok},
    {"watch_delete_node", "000000130000000200000003000000062f6732322f6e01", "path=\"/g22/n\" watch=true", Status::ok},
    {"watch_delete_node", "000000130000000300000008000000062f6732322f6e01", "path=\"/g22/n\" watch=true", Status::ok},
    {"watch_delete_node", "000000110000000400000008000000042f67323201", "path=\"/g22\" watch=true", Status::ok},
    {"watch_delete_node", "000000160000000300000002000000062f6732322f6effffffff", "path=\"/g22/n\" version=-1",
     Status::ok},
    {"watch_child_only_deleted", "00000011000000010000000c000000042f67323301", "path=\"/g23\" watch=true", Status::ok},
    {"watch_child_only_deleted", "000000140000000200000002000000042f673233ffffffff", "path=\"/g23\" version=-1",
     Status::ok},
    {"watch_not_set_on_failed_getdata", "000000110000000100000004000000042f67323401", "path=\"/g24\" watch=true",
     Status::ok},
    {"watch_ephemeral_close",
     "000000330000000100000001000000042f67323500000000000000010000001f00000005776f726c6400000006616e796f6e6500000001",
     "path=\"/g25\" data=\"\" acl=[31:world:anyone] flags=1", Status::ok},
    {"watch_ephemeral_close", "000000110000000100000003000000042f67323501", "path=\"/g25\" watch=true", Status::ok},
    {"watch_ephemeral_close", "0000000800000002fffffff5", "", Status::ok},
    {"watch_ephemeral_close", "000000110000000200000003000000042f67323500", "path=\"/g25\" watch=false", Status::ok},
    {"set_watches_catch_up", "000000110000000600000003000000042f67323600", "path=\"/g26\" watch=false", Status::ok},
    {"set_watches_catch_up", "0000001c0000000700000005000000072f6732362f73310000000131ffffffff",
     "path=\"/g26/s1\" data=\"1\" version=-1", Status::ok},
    {"set_watches_catch_up", "000000170000000900000002000000072f6732362f7333ffffffff", "path=\"/g26/s3\" version=-1",
     Status::ok},
    {"set_watches_catch_up",
     "00000069fffffff80000006500000000000000b300000003000000072f6732362f7331000000072f6732362f7333000000072f6732362f733"
     "400000002000000072f6732362f7335000000072f6732362f733600000002000000072f6732362f7332000000072f6732362f7334",
     "relativeZxid=179 data=[\"/g26/s1\", \"/g26/s3\", \"/g26/s4\"] exist=[\"/g26/s5\", \"/g26/s6\"] "
     "child=[\"/g26/s2\", \"/g26/s4\"] persistent=[] recursive=[]",
     Status::ok},
    {"set_watches_catch_up", "0000001c0000000b00000005000000072f6732362f73340000000178ffffffff",
     "path=\"/g26/s4\" data=\"x\" version=-1", Status::ok},
    {"add_watch_persistent", "00000014000000010000006a000000042f67323700000000", "path=\"/g27\" mode=0", Status::ok},
    {"add_watch_persistent", "000000190000000200000005000000042f6732370000000131ffffffff",
     "path=\"/g27\" data=\"1\" version=-1", Status::ok},
    {"add_watch_persistent", "0000001b0000000400000005000000062f6732372f630000000131ffffffff",
     "path=\"/g27/c\" data=\"1\" version=-1", Status::ok},
    {"add_watch_persistent", "000000160000000500000002000000062f6732372f63ffffffff", "path=\"/g27/c\" version=-1",
     Status::ok},
    {"add_watch_persistent", "000000140000000600000002000000042f673237ffffffff", "path=\"/g27\" version=-1",
     Status::ok},
    {"add_watch_recursive", "00000014000000010000006a000000042f67323800000001", "path=\"/g28\" mode=1", Status::ok},
    {"add_watch_recursive", "0000001d0000000400000005000000082f6732382f782f790000000131ffffffff",
     "path=\"/g28/x/y\" data=\"1\" version=-1", Status::ok},
    {"add_watch_recursive", "000000180000000500000002000000082f6732382f782f79ffffffff", "path=\"/g28/x/y\" version=-1",
     Status::ok},
    {"set_watches2",
     "00000038fffffff800000069000000000000000000000000000000000000000000000001000000062f6732392f7000000001000000062f673"
     "2392f72",
     "relativeZxid=0 data=[] exist=[] child=[] persistent=[\"/g29/p\"] recursive=[\"/g29/r\"]", Status::ok},
    {"set_watches2", "0000001b0000000400000005000000062f6732392f700000000131ffffffff",
     "path=\"/g29/p\" data=\"1\" version=-1", Status::ok},
    {"remove_and_check_watches", "000000140000000200000012000000042f67333000000003", "path=\"/g30\" type=3",
     Status::ok},
    {"remove_and_check_watches", "000000110000000300000004000000042f67333001", "path=\"/g30\" watch=true", Status::ok},
    {"remove_and_check_watches", "000000140000000400000011000000042f67333000000002", "path=\"/g30\" type=2",
     Status::ok},
    {"remove_and_check_watches", "000000140000000500000011000000042f67333000000001", "path=\"/g30\" type=1",
     Status::ok},
    {"remove_and_check_watches", "000000140000000600000012000000042f67333000000002", "path=\"/g30\" type=2",
     Status::ok},
    {"remove_and_check_watches", "000000190000000700000005000000042f6733300000000178ffffffff",
     "path=\"/g30\" data=\"x\" version=-1", Status::ok},
    {"add_watch_bad_mode", "00000014000000010000006a000000042f67333100000002", "path=\"/g31\" mode=2",
     Status::marshalling_error},
    {"add_watch_bad_mode", "000000140000000200000012000000042f67333100000000", "path=\"/g31\" type=0",
     Status::marshalling_error},
    {"add_watch_bad_mode", "000000110000000300000003000000042f67333100", "path=\"/g31\" watch=false", Status::ok},
    {"multi_success",
     "000000c6000000020000000e0000000100ffffffff000000062f6733322f610000000131000000010000001f00000005776f726c640000000"
     "6616e796f6e65000000000000000500ffffffff000000042f673332000000023232000000000000000d00ffffffff000000042f6733320000"
     "00010000000100ffffffff000000072f6733322f732d00000000000000010000001f00000005776f726c6400000006616e796f6e650000000"
     "20000000200ffffffff000000062f6733322f61ffffffffffffffff01ffffffff",
     "1 path=\"/g32/a\" data=\"1\" acl=[31:world:anyone] flags=0; 5 path=\"/g32\" data=\"22\" version=0; 13 "
     "path=\"/g32\" version=1; 1 path=\"/g32/s-\" data=\"\" acl=[31:world:anyone] flags=2; 2 path=\"/g32/a\" "
     "version=-1",
     Status::ok},
    {"multi_failure", "000000130000000300000003000000062f6733332f6100", "path=\"/g33/a\" watch=false", Status::ok},
    {"multi_empty", "00000011000000010000000effffffff01ffffffff", "", Status::ok},
    {"multi_malformed", "00000020000000010000000e0000000400ffffffff000000012f00ffffffff01ffffffff",
     "4 path=\"/\" watch=false", Status::marshalling_error},
    {"multi_watch_order", "000000130000000200000003000000062f6733342f6101", "path=\"/g34/a\" watch=true", Status::ok},
    {"multi_watch_order", "000000110000000300000008000000042f67333401", "path=\"/g34\" watch=true", Status::ok},
    {"multi_watch_order", "000000110000000400000004000000042f67333401", "path=\"/g34\" watch=true", Status::ok},
    {"multi_watch_order",
     "00000078000000050000000e0000000100ffffffff000000062f6733342f6100000000000000010000001f00000005776f726c64000000066"
     "16e796f6e65000000000000000500ffffffff000000042f673334000000017affffffff0000000200ffffffff000000062f6733342f61ffff"
     "ffffffffffff01ffffffff",
     "1 path=\"/g34/a\" data=\"\" acl=[31:world:anyone] flags=0; 5 path=\"/g34\" data=\"z\" version=-1; 2 "
     "path=\"/g34/a\" version=-1",
     Status::ok},
    {"multi_read",
     "0000004c00000003000000160000000400ffffffff000000042f673335000000000800ffffffff000000042f673335000000000400fffffff"
     "f000000092f6733352f6e6f6e6500ffffffff01ffffffff",
     "4 path=\"/g35\"; 8 path=\"/g35\"; 4 path=\"/g35/none\"", Status::ok},
    {"get_ephemerals",
     "000000330000000100000001000000042f67333600000000000000010000001f00000005776f726c6400000006616e796f6e6500000001",
     "path=\"/g36\" data=\"\" acl=[31:world:anyone] flags=1", Status::ok},
    {"get_ephemerals", "0000000f0000000200000067000000032f6733", "path=\"/g3\"", Status::ok},
    {"get_ephemerals", "000000100000000300000067000000042f7a7a7a", "path=\"/zzz\"", Status::ok},
    {"get_ephemerals", "0000000d0000000400000067000000012f", "path=\"/\"", Status::ok},
    {"get_all_children_number", "000000100000000400000068000000042f673337", "path=\"/g37\"", Status::ok},
    {"get_all_children_number", "000000140000000500000068000000082f6733372f612f62", "path=\"/g37/a/b\"", Status::ok},
    {"get_all_children_number", "000000110000000600000068000000052f67333778", "path=\"/g37x\"", Status::ok},
    {"malformed_body", "0000000d0000000100000004000000012f", "path=\"/\"", Status::marshalling_error},
    {"malformed_body", "000000110000000200000003000000042f67333800", "path=\"/g38\" watch=false", Status::ok},
    {"reconfig_disabled",
     "0000003d0000000100000010000000217365727665722e393d3132372e302e302e313a323838383a333838383b32313831fffffffffffffff"
     "fffffffffffffffff",
     "joining=\"server.9=127.0.0.1:2888:3888;2181\" leaving=null members=null config=-1", Status::ok},
    {"sasl_not_configured", "0000000f000000010000006600000003616263", "token=\"abc\"", Status::ok},
    {"ensemble_config_node", "0000001e0000000100000004000000112f7a6f6f6b65657065722f636f6e66696700",
     "path=\"/zookeeper/config\" watch=false", Status::ok},
    {"ensemble_config_node", "0000001d0000000200000006000000112f7a6f6f6b65657065722f636f6e666967",
     "path=\"/zookeeper/config\"", Status::ok},
    {"ensemble_reconfig_errors", "0000001d0000000100000010ffffffff0000000133ffffffff0000000000000005",
     "joining=null leaving=\"3\" members=null config=5", Status::ok},
    {"ensemble_reconfig_errors", "0000001f0000000200000010000000037a7a7affffffffffffffffffffffffffffffff",
     "joining=\"zzz\" leaving=null members=null config=-1", Status::ok},
    {"ensemble_reconfig_errors", "0000001e0000000300000010ffffffff000000023939ffffffffffffffffffffffff",
     "joining=null leaving=\"99\" members=null config=-1", Status::ok},
    {"ensemble_session_moved",
     "000000330000000100000001000000032f736d0000000131000000010000001f00000005776f726c6400000006616e796f6e6500000001",
     "path=\"/sm\" data=\"1\" acl=[31:world:anyone] flags=1", Status::ok},
    {"ensemble_session_moved", "000000100000000200000004000000032f736d00", "path=\"/sm\" watch=false", Status::ok},
    {"ensemble_session_moved", "000000180000000300000005000000032f736d0000000132ffffffff",
     "path=\"/sm\" data=\"2\" version=-1", Status::ok},
    {"ensemble_session_moved", "000000180000000100000005000000032f736d0000000133ffffffff",
     "path=\"/sm\" data=\"3\" version=-1", Status::ok},
    {"ensemble_reconfig_ok", "0000001d0000000100000010ffffffff0000000131ffffffffffffffffffffffff",
     "joining=null leaving=\"1\" members=null config=-1", Status::ok},
});

std::string label(const GoldenRequest& golden) {
  return std::string(golden.vector) + " " + std::string(golden.frame);
}

TEST(golden_requests, every_captured_request_decodes_to_what_its_client_meant) {
  DecodeScratch scratch;
  for (const GoldenRequest& golden : golden_requests) {
    SCOPED_TRACE(label(golden));
    const std::string frame = testing::unhex(golden.frame).substr(4);
    const auto header = decode_header(frame);
    ASSERT_TRUE(header);
    const OpcodeInfo* info = find_opcode(header->type);
    ASSERT_NE(info, nullptr);
    EXPECT_TRUE(info->from_client);
    Request request;
    const Status status = decode_request(info->opcode, ByteView(frame).substr(request_header_bytes), scratch, request);
    EXPECT_EQ(status, golden.status);
    if (status == Status::ok) {
      EXPECT_EQ(testing::text_of(request), golden.meaning);
    }
  }
}

// Protocol 2.5: a short body is -5 whatever the operation, and nothing behind the body is read (run under ASan).
TEST(golden_requests, every_captured_request_that_is_cut_anywhere_is_a_marshalling_error) {
  DecodeScratch scratch;
  for (const GoldenRequest& golden : golden_requests) {
    SCOPED_TRACE(label(golden));
    const std::string frame = testing::unhex(golden.frame).substr(4);
    const Opcode opcode{decode_header(frame)->type};
    for (std::size_t length = request_header_bytes; length < frame.size() && golden.status == Status::ok; ++length) {
      const std::string cut = frame.substr(request_header_bytes, length - request_header_bytes);
      const std::vector<char> exact(cut.begin(), cut.end());  // No spare byte behind it.
      Request request;
      EXPECT_EQ(decode_request(opcode, {exact.data(), exact.size()}, scratch, request), Status::marshalling_error)
          << length;
    }
  }
}

// Protocol 1.1.
TEST(golden_requests, bytes_behind_the_record_are_ignored) {
  DecodeScratch scratch;
  for (const GoldenRequest& golden : golden_requests) {
    SCOPED_TRACE(label(golden));
    if (golden.status != Status::ok) {
      continue;  // What is missing would be found behind it.
    }
    const std::string frame = testing::unhex(golden.frame).substr(4) + "behind";
    Request request;
    ASSERT_EQ(decode_request(Opcode{decode_header(frame)->type}, ByteView(frame).substr(request_header_bytes), scratch,
                             request),
              Status::ok);
    EXPECT_EQ(testing::text_of(request), golden.meaning);
  }
}

}  // namespace
}  // namespace quorate::wire
