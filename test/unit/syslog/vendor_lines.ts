/**
 * Lines as devices and programs send them, written after the formats that their vendors publish, and what is to be read
 * in each. Read on 2024-03-01 at 19:00 UTC in the zone Europe/Berlin, unless a line says its own.
 */
import type { ReadLine } from "./read_lines.ts";

/** One line and its fields. */
export interface VendorLine {
  /** Who sends such lines; where it is described. */
  readonly from: string;
  readonly line: string;
  readonly want: ReadLine;
}

const bom = "\ufeff";

export const vendorLines: readonly VendorLine[] = [
  {
    from: "Cisco ASA, logging timestamp",
    line:
      "<166>Mar 01 2024 18:48:50: %ASA-6-302013: Built outbound TCP connection 3 for outside:203.0.113.9/443",
    want: {
      severity: "info",
      facility: "local4",
      time: "2024-03-01T18:48:50+01:00",
      appname: "%ASA-6-302013",
      message: "Built outbound TCP connection 3 for outside:203.0.113.9/443",
    },
  },
  {
    from: "Cisco ASA, logging device-id hostname",
    line:
      '<164>Mar 01 2024 18:48:50 fw1 : %ASA-4-106023: Deny tcp src outside:203.0.113.9/4242 by access-group "outside"',
    want: {
      severity: "warning",
      facility: "local4",
      time: "2024-03-01T18:48:50+01:00",
      hostname: "fw1",
      appname: "%ASA-4-106023",
      message: 'Deny tcp src outside:203.0.113.9/4242 by access-group "outside"',
    },
  },
  {
    from: "Cisco ASA, the host with its colon",
    line: "<164>Mar 01 2024 18:48:50 fw1: %ASA-4-733100: Object drop rate 1 exceeded",
    want: {
      severity: "warning",
      facility: "local4",
      time: "2024-03-01T18:48:50+01:00",
      hostname: "fw1",
      appname: "%ASA-4-733100",
      message: "Object drop rate 1 exceeded",
    },
  },
  {
    from: "Cisco ASA, EMBLEM format",
    line: "<166>:Mar 01 18:48:50 UTC: %ASA-session-6-302014: Teardown TCP connection 3",
    want: {
      severity: "info",
      facility: "local4",
      time: "2024-03-01T18:48:50Z",
      appname: "%ASA-session-6-302014",
      message: "Teardown TCP connection 3",
    },
  },
  {
    from: "Cisco ASA, logging timestamp rfc5424",
    line: "<166>2024-03-01T18:48:50Z fw1 : %ASA-6-305011: Built dynamic TCP translation",
    want: {
      severity: "info",
      facility: "local4",
      time: "2024-03-01T18:48:50Z",
      hostname: "fw1",
      appname: "%ASA-6-305011",
      message: "Built dynamic TCP translation",
    },
  },
  {
    from: "Cisco IOS, service timestamps log datetime msec show-timezone, sequence-numbers",
    line:
      "<189>29: *Mar  1 18:48:50.483 UTC: %SYS-5-CONFIG_I: Configured from console by vty2 (10.34.195.36)",
    want: {
      severity: "notice",
      facility: "local7",
      time: "2024-03-01T18:48:50.483Z",
      appname: "%SYS-5-CONFIG_I",
      message: "Configured from console by vty2 (10.34.195.36)",
    },
  },
  {
    from: "Cisco IOS, logging origin-id hostname",
    line:
      "<187>46: router1: Mar  1 18:48:51.123 CET: %LINK-3-UPDOWN: Interface GigabitEthernet0/1, changed state to up",
    want: {
      severity: "err",
      facility: "local7",
      time: "2024-03-01T18:48:51.123+01:00",
      hostname: "router1",
      appname: "%LINK-3-UPDOWN",
      message: "Interface GigabitEthernet0/1, changed state to up",
    },
  },
  {
    from: "Cisco IOS, no timestamps, logging origin-id hostname",
    line: "<189>47: router1: %LINEPROTO-5-UPDOWN: Line protocol on Interface Gi0/1, changed state to up",
    want: {
      severity: "notice",
      facility: "local7",
      hostname: "router1",
      appname: "%LINEPROTO-5-UPDOWN",
      message: "Line protocol on Interface Gi0/1, changed state to up",
    },
  },
  {
    from: "Cisco IOS, service timestamps log uptime",
    line: "<189>48: 00:00:46: %LINK-5-CHANGED: Interface Vlan1, changed state to down",
    want: {
      severity: "notice",
      facility: "local7",
      appname: "%LINK-5-CHANGED",
      message: "Interface Vlan1, changed state to down",
    },
  },
  {
    from: "Cisco NX-OS",
    line: "<189>: 2024 Mar  1 18:48:50 UTC: %ETHPORT-5-IF_UP: Interface Ethernet1/1 is up in mode trunk",
    want: {
      severity: "notice",
      facility: "local7",
      time: "2024-03-01T18:48:50Z",
      appname: "%ETHPORT-5-IF_UP",
      message: "Interface Ethernet1/1 is up in mode trunk",
    },
  },
  {
    from: "Cisco IOS XR",
    line:
      "<189>1234: RP/0/RSP0/CPU0:Mar  1 18:48:50.483 UTC: config[65779]: %MGBL-SYS-5-CONFIG_I : Configured from console by admin",
    want: {
      severity: "notice",
      facility: "local7",
      time: "2024-03-01T18:48:50.483Z",
      appname: "config",
      procid: "65779",
      message: "%MGBL-SYS-5-CONFIG_I : Configured from console by admin",
    },
  },
  {
    from: "Cisco IOS XR, logging hostnameprefix",
    line:
      "<187>1235: edge2 RP/0/RP0/CPU0:Mar  1 18:48:50.483 UTC: ifmgr[222]: %PKT_INFRA-LINK-3-UPDOWN : Interface down",
    want: {
      severity: "err",
      facility: "local7",
      time: "2024-03-01T18:48:50.483Z",
      hostname: "edge2",
      appname: "ifmgr",
      procid: "222",
      message: "%PKT_INFRA-LINK-3-UPDOWN : Interface down",
    },
  },
  {
    from: "Cisco Meraki",
    line:
      "<134>1 1709318930.483712 MX84 flows src=192.168.1.2 dst=203.0.113.9 protocol=tcp pattern: allow all",
    want: {
      severity: "info",
      facility: "local0",
      time: "2024-03-01T18:48:50.483712Z",
      hostname: "MX84",
      message: "flows src=192.168.1.2 dst=203.0.113.9 protocol=tcp pattern: allow all",
    },
  },
  {
    from: "Juniper Junos, standard format",
    line: "<165>Mar  1 18:48:50 router1 mgd[4163]: UI_COMMIT: User 'admin' requested 'commit' operation",
    want: {
      severity: "notice",
      facility: "local4",
      time: "2024-03-01T18:48:50+01:00",
      hostname: "router1",
      appname: "mgd",
      procid: "4163",
      message: "UI_COMMIT: User 'admin' requested 'commit' operation",
    },
  },
  {
    from: "Juniper Junos, structured-data",
    line:
      '<165>1 2024-03-01T18:48:50.133+01:00 router1 mgd 3046 UI_DBASE_LOGOUT_EVENT [junos@2636.1.1.1.2.18 username="regress" class="j-super\\]user"] User \'regress\' exiting configuration mode',
    want: {
      severity: "notice",
      facility: "local4",
      time: "2024-03-01T18:48:50.133+01:00",
      hostname: "router1",
      appname: "mgd",
      procid: "3046",
      msgid: "UI_DBASE_LOGOUT_EVENT",
      sd: '[junos@2636.1.1.1.2.18 username="regress" class="j-super\\]user"]',
      message: "User 'regress' exiting configuration mode",
    },
  },
  {
    from: "Juniper SRX, sd-syslog traffic",
    line:
      '<14>1 2024-03-01T18:48:50.842Z srx1 RT_FLOW - RT_FLOW_SESSION_CLOSE [junos@2636.1.1.1.2.129 reason="TCP FIN" source-address="10.0.0.1"]',
    want: {
      severity: "info",
      facility: "user",
      time: "2024-03-01T18:48:50.842Z",
      hostname: "srx1",
      appname: "RT_FLOW",
      msgid: "RT_FLOW_SESSION_CLOSE",
      sd: '[junos@2636.1.1.1.2.129 reason="TCP FIN" source-address="10.0.0.1"]',
      message: "",
    },
  },
  {
    from: "FortiOS, format default",
    line:
      '<189>date=2024-03-01 time=18:48:50 devname="FG100E" devid="FG100E0000000001" logid="0100032001" type="event" level="information"',
    want: {
      severity: "notice",
      facility: "local7",
      time: "2024-03-01T18:48:50+01:00",
      hostname: "FG100E",
      message:
        'date=2024-03-01 time=18:48:50 devname="FG100E" devid="FG100E0000000001" logid="0100032001" type="event" level="information"',
    },
  },
  {
    from: "FortiOS, format rfc5424",
    line: '<189>1 2024-03-01T18:48:50Z FG100E - - - [fortinet@12356 logid="0000000013" type="traffic"]',
    want: {
      severity: "notice",
      facility: "local7",
      time: "2024-03-01T18:48:50Z",
      hostname: "FG100E",
      sd: '[fortinet@12356 logid="0000000013" type="traffic"]',
      message: "",
    },
  },
  {
    from: "Palo Alto PAN-OS, BSD format",
    line:
      "<14>Mar  1 18:48:50 PA-220 1,2024/03/01 18:48:50,012345678901,TRAFFIC,end,2561,2024/03/01 18:48:50,10.0.0.1",
    want: {
      severity: "info",
      facility: "user",
      time: "2024-03-01T18:48:50+01:00",
      hostname: "PA-220",
      message: "1,2024/03/01 18:48:50,012345678901,TRAFFIC,end,2561,2024/03/01 18:48:50,10.0.0.1",
    },
  },
  {
    from: "Palo Alto PAN-OS, IETF format",
    line: "<14>1 2024-03-01T18:48:50.000+01:00 PA-220 - - - - 1,2024/03/01 18:48:50,012345678901,THREAT,url",
    want: {
      severity: "info",
      facility: "user",
      time: "2024-03-01T18:48:50.000+01:00",
      hostname: "PA-220",
      message: "1,2024/03/01 18:48:50,012345678901,THREAT,url",
    },
  },
  {
    from: "pfSense, filterlog in BSD format",
    line:
      "<134>Mar  1 18:48:50 filterlog[54321]: 5,,,1000000103,em0,match,block,in,4,0x0,,64,0,0,DF,6,tcp,60",
    want: {
      severity: "info",
      facility: "local0",
      time: "2024-03-01T18:48:50+01:00",
      appname: "filterlog",
      procid: "54321",
      message: "5,,,1000000103,em0,match,block,in,4,0x0,,64,0,0,DF,6,tcp,60",
    },
  },
  {
    from: "OPNsense, filterlog in RFC 5424",
    line:
      '<134>1 2024-03-01T18:48:50+01:00 fw.example.net filterlog 54321 - [meta sequenceId="17"] 5,,,abc,em0,match,pass',
    want: {
      severity: "info",
      facility: "local0",
      time: "2024-03-01T18:48:50+01:00",
      hostname: "fw.example.net",
      appname: "filterlog",
      procid: "54321",
      sd: '[meta sequenceId="17"]',
      message: "5,,,abc,em0,match,pass",
    },
  },
  {
    from: "MikroTik RouterOS, default",
    line: "<30>system,info,account user admin logged in from 192.168.88.2 via ssh",
    want: {
      severity: "info",
      facility: "daemon",
      message: "system,info,account user admin logged in from 192.168.88.2 via ssh",
    },
  },
  {
    from: "MikroTik RouterOS, bsd-syslog=yes",
    line: "<30>Mar  1 18:48:50 MikroTik system,info,account user admin logged in from 192.168.88.2 via ssh",
    want: {
      severity: "info",
      facility: "daemon",
      time: "2024-03-01T18:48:50+01:00",
      hostname: "MikroTik",
      message: "system,info,account user admin logged in from 192.168.88.2 via ssh",
    },
  },
  {
    from: "Ubiquiti UniFi access point",
    line:
      '<30>Mar  1 18:48:50 ("U7PG2,f09fc2aabbcc,v4.3.28.11361") hostapd: ath0: STA 00:11:22:33:44:55 IEEE 802.11: associated',
    want: {
      severity: "info",
      facility: "daemon",
      time: "2024-03-01T18:48:50+01:00",
      hostname: '("U7PG2,f09fc2aabbcc,v4.3.28.11361")',
      appname: "hostapd",
      message: "ath0: STA 00:11:22:33:44:55 IEEE 802.11: associated",
    },
  },
  {
    from: "Ubiquiti EdgeOS, kernel firewall",
    line: "<4>Mar  1 18:48:50 ubnt kernel: [WAN_IN-default-D]IN=eth0 OUT=eth1 SRC=203.0.113.9 DST=10.0.0.2",
    want: {
      severity: "warning",
      facility: "kern",
      time: "2024-03-01T18:48:50+01:00",
      hostname: "ubnt",
      appname: "kernel",
      message: "[WAN_IN-default-D]IN=eth0 OUT=eth1 SRC=203.0.113.9 DST=10.0.0.2",
    },
  },
  {
    from: "VMware ESXi",
    line:
      "<166>2024-03-01T18:48:50.483Z esx1.example.net Hostd: info hostd[2100001] [Originator@6876 sub=Vimsvc.ha-eventmgr] Event 42",
    want: {
      severity: "info",
      facility: "local4",
      time: "2024-03-01T18:48:50.483Z",
      hostname: "esx1.example.net",
      appname: "Hostd",
      message: "info hostd[2100001] [Originator@6876 sub=Vimsvc.ha-eventmgr] Event 42",
    },
  },
  {
    from: "VMware vCenter",
    line:
      "<14>1 2024-03-01T18:48:50.483712+00:00 vc1 vpxd 6789 - - Event [12345] [1-1] [vim.event.UserLoginSessionEvent]",
    want: {
      severity: "info",
      facility: "user",
      time: "2024-03-01T18:48:50.483712Z",
      hostname: "vc1",
      appname: "vpxd",
      procid: "6789",
      message: "Event [12345] [1-1] [vim.event.UserLoginSessionEvent]",
    },
  },
  {
    from: "Synology DSM, BSD format",
    line:
      "<14>Mar  1 18:48:50 nas1 Connection: User [admin] from [192.168.1.2] logged in successfully via [DSM].",
    want: {
      severity: "info",
      facility: "user",
      time: "2024-03-01T18:48:50+01:00",
      hostname: "nas1",
      appname: "Connection",
      message: "User [admin] from [192.168.1.2] logged in successfully via [DSM].",
    },
  },
  {
    from: "Synology DSM, IETF format",
    line:
      `<14>1 2024-03-01T18:48:50+01:00 nas1 Connection - - [synolog@6574 event_id="0x0001" username="admin"][meta sequenceId="3"] ${bom}User [admin] logged in`,
    want: {
      severity: "info",
      facility: "user",
      time: "2024-03-01T18:48:50+01:00",
      hostname: "nas1",
      appname: "Connection",
      sd: '[synolog@6574 event_id="0x0001" username="admin"][meta sequenceId="3"]',
      message: "User [admin] logged in",
    },
  },
  {
    from: "HAProxy, log format rfc3164",
    line:
      '<134>Mar  1 18:48:50 haproxy[14389]: 10.0.1.2:33317 [01/Mar/2024:18:48:50.655] http-in static/srv1 10/0/30/69/109 200 2750 "GET / HTTP/1.1"',
    want: {
      severity: "info",
      facility: "local0",
      time: "2024-03-01T18:48:50+01:00",
      appname: "haproxy",
      procid: "14389",
      message:
        '10.0.1.2:33317 [01/Mar/2024:18:48:50.655] http-in static/srv1 10/0/30/69/109 200 2750 "GET / HTTP/1.1"',
    },
  },
  {
    from: "HAProxy, log-send-hostname",
    line: "<133>Mar  1 18:48:50 lb1 haproxy[14389]: Proxy http-in started.",
    want: {
      severity: "notice",
      facility: "local0",
      time: "2024-03-01T18:48:50+01:00",
      hostname: "lb1",
      appname: "haproxy",
      procid: "14389",
      message: "Proxy http-in started.",
    },
  },
  {
    from: "nginx, access_log syslog:",
    line:
      '<190>Mar  1 18:48:50 web1 nginx: 203.0.113.9 - - [01/Mar/2024:18:48:50 +0100] "GET / HTTP/1.1" 200 612 "-" "curl/8.0"',
    want: {
      severity: "info",
      facility: "local7",
      time: "2024-03-01T18:48:50+01:00",
      hostname: "web1",
      appname: "nginx",
      message: '203.0.113.9 - - [01/Mar/2024:18:48:50 +0100] "GET / HTTP/1.1" 200 612 "-" "curl/8.0"',
    },
  },
  {
    from: "nginx, nohostname",
    line: "<187>Mar  1 18:48:50 nginx: 2024/03/01 18:48:50 [error] 31#31: *7 open() failed (2: No such file)",
    want: {
      severity: "err",
      facility: "local7",
      time: "2024-03-01T18:48:50+01:00",
      appname: "nginx",
      message: "2024/03/01 18:48:50 [error] 31#31: *7 open() failed (2: No such file)",
    },
  },
  {
    from: "OpenSSH through rsyslog",
    line:
      "<86>Mar  1 18:48:50 bastion sshd[4711]: Accepted publickey for deploy from 203.0.113.9 port 50022 ssh2: ED25519 SHA256:abc",
    want: {
      severity: "info",
      facility: "authpriv",
      time: "2024-03-01T18:48:50+01:00",
      hostname: "bastion",
      appname: "sshd",
      procid: "4711",
      message: "Accepted publickey for deploy from 203.0.113.9 port 50022 ssh2: ED25519 SHA256:abc",
    },
  },
  {
    from: "rsyslog, RSYSLOG_ForwardFormat",
    line: "<30>2024-03-01T18:48:50.483712+01:00 web1 systemd[1]: Started Session 42 of User deploy.",
    want: {
      severity: "info",
      facility: "daemon",
      time: "2024-03-01T18:48:50.483712+01:00",
      hostname: "web1",
      appname: "systemd",
      procid: "1",
      message: "Started Session 42 of User deploy.",
    },
  },
  {
    from: "systemd-journald, ForwardToSyslog",
    line: "<30>Mar  1 18:48:50 systemd[1]: Reached target Multi-User System.",
    want: {
      severity: "info",
      facility: "daemon",
      time: "2024-03-01T18:48:50+01:00",
      appname: "systemd",
      procid: "1",
      message: "Reached target Multi-User System.",
    },
  },
  {
    from: "util-linux logger --rfc5424",
    line:
      '<13>1 2024-03-01T18:48:50.483712+01:00 web1 deploy - - [timeQuality tzKnown="1" isSynced="1" syncAccuracy="372500"] done',
    want: {
      severity: "notice",
      facility: "user",
      time: "2024-03-01T18:48:50.483712+01:00",
      hostname: "web1",
      appname: "deploy",
      sd: '[timeQuality tzKnown="1" isSynced="1" syncAccuracy="372500"]',
      message: "done",
    },
  },
  {
    from: "NXLog, to_syslog_ietf() of a Windows event",
    line:
      '<14>1 2024-03-01T18:48:50.483712+01:00 WIN-01 Microsoft-Windows-Security-Auditing 620 - [NXLOG@14506 Keywords="-9214364837600034816" EventID="4624" SubjectUserName="WIN-01$"] An account was successfully logged on.',
    want: {
      severity: "info",
      facility: "user",
      time: "2024-03-01T18:48:50.483712+01:00",
      hostname: "WIN-01",
      appname: "Microsoft-Windows-Security-Auditing",
      procid: "620",
      sd: '[NXLOG@14506 Keywords="-9214364837600034816" EventID="4624" SubjectUserName="WIN-01$"]',
      message: "An account was successfully logged on.",
    },
  },
  {
    from: "NXLog, to_syslog_bsd()",
    line:
      "<13>Mar  1 18:48:50 WIN-01 Service_Control_Manager[620]: The Windows Update service entered the running state.",
    want: {
      severity: "notice",
      facility: "user",
      time: "2024-03-01T18:48:50+01:00",
      hostname: "WIN-01",
      appname: "Service_Control_Manager",
      procid: "620",
      message: "The Windows Update service entered the running state.",
    },
  },
  {
    from: "NXLog, to_syslog_snare()",
    line:
      "<13>Mar  1 18:48:50 WIN-01 MSWinEventLog\t1\tSecurity\t193\tFri Mar 01 18:48:50 2024\t4624\tMicrosoft-Windows-Security-Auditing",
    want: {
      severity: "notice",
      facility: "user",
      time: "2024-03-01T18:48:50+01:00",
      hostname: "WIN-01",
      message:
        "MSWinEventLog\t1\tSecurity\t193\tFri Mar 01 18:48:50 2024\t4624\tMicrosoft-Windows-Security-Auditing",
    },
  },
  {
    from: "AIX, a relayed message",
    line:
      "<38>Mar  1 18:48:50 Message forwarded from aix1: sshd[123]: Failed password for root from 203.0.113.9",
    want: {
      severity: "info",
      facility: "auth",
      time: "2024-03-01T18:48:50+01:00",
      hostname: "aix1",
      appname: "sshd",
      procid: "123",
      message: "Failed password for root from 203.0.113.9",
    },
  },
  {
    from: "AIX, a relayed repetition",
    line: "<38>Mar  1 18:48:50 Message forwarded from aix1: last message repeated 3 times",
    want: {
      severity: "info",
      facility: "auth",
      time: "2024-03-01T18:48:50+01:00",
      hostname: "aix1",
      message: "last message repeated 3 times",
    },
  },
  {
    from: "Solaris, msgid=1",
    line: "<37>Mar  1 18:48:50 sol1 sshd[4711]: [ID 800047 auth.info] Accepted keyboard-interactive for root",
    want: {
      severity: "notice",
      facility: "auth",
      time: "2024-03-01T18:48:50+01:00",
      hostname: "sol1",
      appname: "sshd",
      procid: "4711",
      message: "[ID 800047 auth.info] Accepted keyboard-interactive for root",
    },
  },
  {
    from: "sysklogd, a repetition without a host",
    line: "<13>Mar  1 18:48:50 last message repeated 2 times",
    want: {
      severity: "notice",
      facility: "user",
      time: "2024-03-01T18:48:50+01:00",
      message: "last message repeated 2 times",
    },
  },
  {
    from: "rsyslog, a repetition",
    line: "<13>Mar  1 18:48:50 web1 app: message repeated 3 times: [ out of memory]",
    want: {
      severity: "notice",
      facility: "user",
      time: "2024-03-01T18:48:50+01:00",
      hostname: "web1",
      appname: "app",
      message: "message repeated 3 times: [ out of memory]",
    },
  },
  {
    from: "FreeBSD, a relayed message",
    line: "<13>Mar  1 18:48:50 Forwarded from bsd1: su: BAD SU alice to root on /dev/pts/0",
    want: {
      severity: "notice",
      facility: "user",
      time: "2024-03-01T18:48:50+01:00",
      hostname: "bsd1",
      appname: "su",
      message: "BAD SU alice to root on /dev/pts/0",
    },
  },
  {
    from: "Check Point Log Exporter, syslog format",
    line:
      '<134>1 2024-03-01T18:48:50Z gw1 CheckPoint 30160 - [action:"Accept"; conn_direction:"Internal"; src:"10.0.0.1"]',
    want: {
      severity: "info",
      facility: "local0",
      time: "2024-03-01T18:48:50Z",
      hostname: "gw1",
      appname: "CheckPoint",
      procid: "30160",
      message: '[action:"Accept"; conn_direction:"Internal"; src:"10.0.0.1"]',
    },
  },
  {
    from: "Aruba controller, the year behind the time",
    line:
      "<141>Mar  1 18:48:50 2024 aruba1 stm[3511]: <501044> <3511> <NOTI> Station 00:11:22:33:44:55: No authentication found",
    want: {
      severity: "notice",
      facility: "local1",
      time: "2024-03-01T18:48:50+01:00",
      hostname: "aruba1",
      appname: "stm",
      procid: "3511",
      message: "<501044> <3511> <NOTI> Station 00:11:22:33:44:55: No authentication found",
    },
  },
  {
    from: "Heroku logplex, without structured data",
    line: '<158>1 2024-03-01T18:48:50.483712+00:00 host heroku router - at=info method=GET path="/"',
    want: {
      severity: "info",
      facility: "local3",
      time: "2024-03-01T18:48:50.483712Z",
      hostname: "host",
      appname: "heroku",
      procid: "router",
      message: 'at=info method=GET path="/"',
    },
  },
  {
    from: "a program that writes JSON behind its PRI",
    line: '<14>{"time":"2024-03-01T18:48:50Z","level":"info","msg":"started: yes"}',
    want: {
      severity: "info",
      facility: "user",
      message: '{"time":"2024-03-01T18:48:50Z","level":"info","msg":"started: yes"}',
    },
  },
  {
    from: "a program that writes JSON alone",
    line: '{"level":"info","msg":"started"}',
    want: { message: '{"level":"info","msg":"started"}', unparsed: true },
  },
  {
    from: "a log file sent line by line, no PRI",
    line: "Mar  1 18:48:50 web1 CRON[99]: (root) CMD (run-parts /etc/cron.hourly)",
    want: {
      time: "2024-03-01T18:48:50+01:00",
      hostname: "web1",
      appname: "CRON",
      procid: "99",
      message: "(root) CMD (run-parts /etc/cron.hourly)",
    },
  },
  {
    from: "a log file with ISO times, no PRI",
    line: "2024-03-01 18:48:50,483 app1 worker: job 7 done",
    want: {
      time: "2024-03-01T18:48:50.483+01:00",
      hostname: "app1",
      appname: "worker",
      message: "job 7 done",
    },
  },
  {
    from: "Cisco IOS, a count and service sequence-numbers",
    line:
      "<190>52: 003921: Mar  1 2024 18:48:50.483 CET: %SEC-6-IPACCESSLOGP: list 101 denied tcp 10.0.0.1(0) -> 10.0.0.2(80), 1 packet",
    want: {
      severity: "info",
      facility: "local7",
      time: "2024-03-01T18:48:50.483+01:00",
      appname: "%SEC-6-IPACCESSLOGP",
      message: "list 101 denied tcp 10.0.0.1(0) -> 10.0.0.2(80), 1 packet",
    },
  },
  {
    from: "Cisco IOS, origin-id and sequence-numbers, the clock not set",
    line: "<189>46: router1: 000045: *Mar  1 18:48:50.123: %SYS-5-CONFIG_I: Configured from console by vty0",
    want: {
      severity: "notice",
      facility: "local7",
      time: "2024-03-01T18:48:50.123+01:00",
      hostname: "router1",
      appname: "%SYS-5-CONFIG_I",
      message: "Configured from console by vty0",
    },
  },
  {
    from: "Cisco wireless controller (AireOS)",
    line:
      "<132>WLC1: *spamApTask4: Mar 01 18:48:50.483: %CAPWAP-3-DTLS_CLOSED_ERR: capwap_ac_sm.c:6822 00:11:22:33:44:55 closed",
    want: {
      severity: "warning",
      facility: "local0",
      time: "2024-03-01T18:48:50.483+01:00",
      hostname: "WLC1",
      appname: "%CAPWAP-3-DTLS_CLOSED_ERR",
      message: "capwap_ac_sm.c:6822 00:11:22:33:44:55 closed",
    },
  },
  {
    from: "Cisco Unified Communications Manager",
    line:
      "<189>123: cucm1.example.net: Mar 01 2024 18:48:50.010 UTC :  %UC_RTMT-2-RTMT_ALERT: %[AlertName=CallProcessingNodeCpuPegging]: pegged",
    want: {
      severity: "notice",
      facility: "local7",
      time: "2024-03-01T18:48:50.010Z",
      hostname: "cucm1.example.net",
      appname: "%UC_RTMT-2-RTMT_ALERT",
      message: "%[AlertName=CallProcessingNodeCpuPegging]: pegged",
    },
  },
  {
    from: "Cisco Firepower, no host before the colon",
    line: "<177>2024-03-01T18:48:50Z  : %FTD-6-430002: EventPriority: Low, DeviceUUID: 0001",
    want: {
      severity: "alert",
      facility: "local6",
      time: "2024-03-01T18:48:50Z",
      appname: "%FTD-6-430002",
      message: "EventPriority: Low, DeviceUUID: 0001",
    },
  },
  {
    from: "F5 BIG-IP, the level behind the host",
    line: "<133>Mar  1 18:48:50 bigip1 notice tmm[1234]: 01010029:5: Clock advanced by 120 ticks",
    want: {
      severity: "notice",
      facility: "local0",
      time: "2024-03-01T18:48:50+01:00",
      hostname: "bigip1",
      appname: "tmm",
      procid: "1234",
      message: "01010029:5: Clock advanced by 120 ticks",
    },
  },
  {
    from: "a program whose text begins with a level, which is no F5",
    line: "<13>Mar  1 18:48:50 web1 notice board: closed",
    want: {
      severity: "notice",
      facility: "user",
      time: "2024-03-01T18:48:50+01:00",
      hostname: "web1",
      message: "notice board: closed",
    },
  },
  {
    from: "Ubiquiti UniFi switch",
    line: "<14>Mar  1 18:48:50 US8P60,18e829f2b0c5,v4.3.13.11253: switch: TRAPMGR: Link Up: 0/3",
    want: {
      severity: "info",
      facility: "user",
      time: "2024-03-01T18:48:50+01:00",
      hostname: "US8P60,18e829f2b0c5,v4.3.13.11253",
      appname: "switch",
      message: "TRAPMGR: Link Up: 0/3",
    },
  },
  {
    from: "Ubiquiti UniFi access point with a name",
    line:
      "<30>Mar  1 18:48:50 hall U7PG2,f09fc2aabbcc,v4.3.28.11361: hostapd: ath0: STA 00:11:22:33:44:55 associated",
    want: {
      severity: "info",
      facility: "daemon",
      time: "2024-03-01T18:48:50+01:00",
      hostname: "hall",
      appname: "hostapd",
      message: "ath0: STA 00:11:22:33:44:55 associated",
    },
  },
  {
    from: "Huawei VRP with its zone",
    line: "<189>Mar  1 2024 18:48:50+01:00 S6730 %%01SHELL/5/CMDRECORD(l)[123]:Recorded command information.",
    want: {
      severity: "notice",
      facility: "local7",
      time: "2024-03-01T18:48:50+01:00",
      hostname: "S6730",
      appname: "%%01SHELL/5/CMDRECORD(l)",
      procid: "123",
      message: "Recorded command information.",
    },
  },
  {
    from: "H3C Comware",
    line: "<190>Mar  1 18:48:50 2024 H3C %%10IFNET/3/LINK_UPDOWN: GigabitEthernet1/0/1 link status is DOWN.",
    want: {
      severity: "info",
      facility: "local7",
      time: "2024-03-01T18:48:50+01:00",
      hostname: "H3C",
      appname: "%%10IFNET/3/LINK_UPDOWN",
      message: "GigabitEthernet1/0/1 link status is DOWN.",
    },
  },
  {
    from: "HPE ProCurve, a space behind the PRI",
    line: "<14> Mar  1 18:48:50 10.0.0.5 00076 ports: port 5 is now on-line",
    want: {
      severity: "info",
      facility: "user",
      time: "2024-03-01T18:48:50+01:00",
      hostname: "10.0.0.5",
      message: "00076 ports: port 5 is now on-line",
    },
  },
  {
    from: "Palo Alto PAN-OS, CEF",
    line:
      "<14>Mar  1 18:48:50 PA-220 CEF:0|Palo Alto Networks|PAN-OS|10.1|end|TRAFFIC|1|rt=Mar 01 2024 18:48:50",
    want: {
      severity: "info",
      facility: "user",
      time: "2024-03-01T18:48:50+01:00",
      hostname: "PA-220",
      message: "CEF:0|Palo Alto Networks|PAN-OS|10.1|end|TRAFFIC|1|rt=Mar 01 2024 18:48:50",
    },
  },
  {
    from: "Postfix, a service with a path",
    line: "<22>Mar  1 18:48:50 mail postfix/submission/smtpd[1234]: connect from unknown[203.0.113.9]",
    want: {
      severity: "info",
      facility: "mail",
      time: "2024-03-01T18:48:50+01:00",
      hostname: "mail",
      appname: "postfix/submission/smtpd",
      procid: "1234",
      message: "connect from unknown[203.0.113.9]",
    },
  },
  {
    from: "a host that is an IPv6 address with its zone",
    line: "<13>Mar  1 18:48:50 fe80::1%eth0 app[1]: hi",
    want: {
      severity: "notice",
      facility: "user",
      time: "2024-03-01T18:48:50+01:00",
      hostname: "fe80::1%eth0",
      appname: "app",
      procid: "1",
      message: "hi",
    },
  },
  {
    from: "a program that writes the offset apart",
    line: "<13>2024-03-01 13:48:50 -0500 web1 app: up",
    want: {
      severity: "notice",
      facility: "user",
      time: "2024-03-01T13:48:50-05:00",
      hostname: "web1",
      appname: "app",
      message: "up",
    },
  },
  {
    from: "a program that names UTC behind an ISO time",
    line: "<13>2024-03-01 18:48:50.123 UTC web1 app: up",
    want: {
      severity: "notice",
      facility: "user",
      time: "2024-03-01T18:48:50.123Z",
      hostname: "web1",
      appname: "app",
      message: "up",
    },
  },
];
