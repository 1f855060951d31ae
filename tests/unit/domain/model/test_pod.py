from container_tracer.domain.model.pod import Container, Pod, pod_keys, pod_of_sandbox


def pod(name: str, namespace: str = "", uid: str = "") -> Pod:
    return Pod(name=name, namespace=namespace, uid=uid)


def test_pods_are_qualified_only_where_a_name_stands_twice() -> None:
    twins = pod("web", "a"), pod("web", "b")

    assert set(pod_keys([*twins, pod("db", "a")])) == {"a/web", "b/web", "db"}


def test_a_pod_and_the_one_that_replaces_it_are_both_there() -> None:
    old, new, other = pod("web-0", "a", "11"), pod("web-0", "a", "22"), pod("web-0", "b", "33")

    assert pod_keys([old, new, other]) == {"a/web-0/11": old, "a/web-0/22": new, "b/web-0": other}
    assert pod_keys([old, new]) == {"a/web-0/11": old, "a/web-0/22": new}


def test_equal_names_in_two_namespaces_are_different_containers() -> None:
    first, second = (Container(name="c", pod="web", namespace=one) for one in "ab")

    assert first.key != second.key


def test_a_sandbox_is_of_the_pod_that_names_it_or_of_the_container_that_has_its_id() -> None:
    plain = Container(name="web", pod="web", container_id="c1")
    alone, other = Pod(name="web", containers=(plain,)), Pod(name="x", sandboxes=("s1", "s2"))

    assert pod_of_sandbox([alone, other], "s2") is other
    assert pod_of_sandbox([alone, other], "c1") is alone
    assert pod_of_sandbox([alone, other], "s3") is None
